"""Where a request for a user of ours goes (RFC 3261 §16.5): the operator's routing function first, then the location service."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

from ringback.message.message import Request
from ringback.server.counts import Counts
from ringback.server.domains import Domains
from ringback.server.location.location import Location
from ringback.server.proxy.routing import Decision, Forward, Reject
from ringback.server.routing_file import Lookup, Route, checked, explain, load_route


class Determination:
    """Gives the decision for a request that is validated and preprocessed."""

    def __init__(
        self,
        domains: Domains,
        location: Location,
        routing_file: Path | None,
        *,
        counts: Counts,
        report: Callable[[str], None],
        run: Callable[[Callable[[float], None]], None],
    ) -> None:
        """Reads the routing file, if there is one: raises `RoutingFileError`. `run` is the stack's, for what a coroutine has decided."""
        self._domains = domains
        self._location = location
        self._file = routing_file
        self._counts = counts
        self._report = report
        self._run = run
        self._waiting: set[asyncio.Task[None]] = set()
        self.route: Route | None = None
        self.read()

    def read(self) -> None:
        """Reads the routing file again; `RoutingFileError`, and what was in force stays in force."""
        if self._file is not None:
            self.route = load_route(self._file, Lookup(self._location, self._domains))

    def determine(self, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        """The decision; None where it takes time: then `decided(decision, now)` is called."""
        if self.route is None:
            return self._located(request)
        try:
            result = self.route(request)
            if inspect.isawaitable(result):
                task = asyncio.get_running_loop().create_task(self._wait_for(request, result, decided))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)
                return None
            return checked(result) or self._located(request)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            return self._failed(error)

    async def _wait_for(self, request: Request, result: Awaitable[Decision | None], decided: Callable[[Decision, float], None]) -> None:
        try:
            decision = checked(await result) or self._located(request)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            decision = self._failed(error)
        self._run(lambda now: decided(decision, now))

    def _located(self, request: Request) -> Decision:
        """What happens where no routing function says otherwise: the bindings of the address-of-record."""
        place = self._domains.place(request.uri_text)
        bindings = self._location.lookup(place.aor) if place.aor is not None else ()
        if bindings and place.uri.scheme == "sips":
            # §16.6 item 7: what was asked for as sips goes nowhere in the clear.
            bindings = [binding for binding in bindings if binding.contact[:5].lower() == "sips:"]
        return Forward(*bindings) if bindings else Reject(404)

    def _failed(self, error: Exception) -> Reject:
        self._counts.routing_errors += 1
        self._report(explain(error, self._file or Path("routes.py")))
        return Reject(500, "Routing Failed")

    @property
    def is_waiting(self) -> bool:
        """Whether a routing function has not decided yet."""
        return bool(self._waiting)

    def close(self) -> None:
        """Gives up what has not been decided."""
        for task in self._waiting:
            task.cancel()
