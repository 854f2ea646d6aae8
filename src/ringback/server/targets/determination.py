"""Where a request for a user of ours goes (RFC 3261 §16.5): the operator's routing function first, then what the configuration says."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from ringback.message.message import Request
from ringback.server.config import Config
from ringback.server.domains import Domains
from ringback.server.gateway import Gateways
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location as LocationService
from ringback.server.operation.counts import Counts
from ringback.server.operator_file import explain
from ringback.server.proxy.routing import Decision, Forward, Gateway, Location, Reject
from ringback.server.targets.retargeting import Retargeting
from ringback.server.targets.routing_file import Lookup, Route, checked, load_route
from ringback.transport.resolver import Enum

# Numbers looked up for one request, one leading to the next. A choice: more is a loop, or might as well be one.
_MOST_NUMBERS = 5


class _NotYetKnownError(Exception):
    """A number must be looked up before anything can be said."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


class Determination:
    """Gives the decision for a request that is validated and preprocessed."""

    def __init__(
        self,
        domains: Domains,
        location: LocationService,
        gruus: Gruus,
        config: Config,
        *,
        counts: Counts,
        report: Callable[[str], None],
        run: Callable[[Callable[[float], None]], None],
        enum: Enum,
        gateways: Gateways,
    ) -> None:
        """Reads the routing file, if there is one: raises `OperatorFileError`. `run` is the stack's, for what a coroutine has decided;
        `enum` knows telephone numbers, `gateways` trunks.
        """
        self._domains = domains
        self._location = location
        self._gruus = gruus
        self._file = config.routing
        self.enum = enum
        self._gateways = gateways
        self.retargeting = self._standing_orders(config)
        self._counts = counts
        self._report = report
        self._run = run
        self._waiting: set[asyncio.Task[None]] = set()
        self.route: Route | None = None
        self.prepare(config)()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads the routing file, and gives what puts it and the standing orders in force; raises `OperatorFileError`."""
        file = config.routing
        route = None if file is None else load_route(file, Lookup(self._location, self._domains, self._gruus))
        retargeting = self._standing_orders(config)

        def apply() -> None:
            retargeting.forwarding, retargeting.knows = self.retargeting.forwarding, self.retargeting.knows
            self._file, self.route, self.retargeting = file, route, retargeting
            self.enum.suffixes = config.dns.enum

        return apply

    def _standing_orders(self, config: Config) -> Retargeting:
        uris = self._uris if config.dns.enum else None
        return Retargeting(self._domains, self._location, self._gruus, config.aliases, config.route, uris)

    def determine(self, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        """The decision; None where it takes time: then `decided(decision, now)` is called."""
        if self.route is None:
            return self._ordered(request, decided)
        try:
            result = self.route(request)
            if inspect.isawaitable(result):
                task = asyncio.get_running_loop().create_task(self._wait_for(request, result, decided))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)
                return None
            return checked(result) or self._ordered(request, decided)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            return self._failed(error)

    async def _wait_for(self, request: Request, result: Awaitable[Decision | None], decided: Callable[[Decision, float], None]) -> None:
        try:
            decision = checked(await result) or self._ordered(request, decided)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            decision = self._failed(error)
        if decision is not None:
            self._run(lambda now: decided(decision, now))

    def _ordered(self, request: Request, decided: Callable[[Decision, float], None], asked: int = 0) -> Decision | None:
        """What the configuration and users say; None where a telephone number is looked up first."""
        try:
            return self.retargeting.decision(request)
        except _NotYetKnownError as missing:
            if asked >= _MOST_NUMBERS:
                return Reject(503, "Number Lookup Failed")
            asking_again = partial(self._asked, request, decided, asked + 1)
            self.enum.ask(missing.number, lambda _: self._run(asking_again))
            return None

    def _asked(self, request: Request, decided: Callable[[Decision, float], None], asked: int, now: float) -> None:
        decision = self._ordered(request, decided, asked)
        if decision is not None:
            decided(decision, now)

    def _uris(self, number: str) -> Sequence[str]:
        """What ENUM knows of a number."""
        uris = self.enum.known(number, asyncio.get_running_loop().time())
        if uris is None:
            raise _NotYetKnownError(number)
        return uris

    def resolve(self, decision: Location | Gateway, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        """What a value that names no targets leads to now: a `Location` to the bindings of its address-of-record, whatever its user has
        arranged; `Reject` where it leads nowhere.
        """
        if isinstance(decision, Gateway):
            return self._gateways.forward(decision, request)
        uri = decision.uri or request.uri_text
        bindings = self.retargeting.bindings(uri, request)
        if not bindings:
            return self.retargeting.nobody(uri, request)
        return Forward(*bindings, one_by_one=decision.one_by_one, ring_for=decision.ring_for, recurse=decision.recurse)

    def _failed(self, error: Exception) -> Reject:
        self._counts.routing_errors += 1
        self._report(explain(error, self._file or Path("routes.py")))
        return Reject(500, "Routing Failed")

    def close(self) -> None:
        """Gives up what has not been decided."""
        for task in self._waiting:
            task.cancel()
        self.enum.close()
