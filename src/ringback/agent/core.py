"""The core of a user agent: between its transaction layer and its calls, registrations and subscriptions (RFC 3261 §8, §12.2.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from ringback.address import Endpoint, Flow, Target
from ringback.agent.agenda import Agenda, Alarm
from ringback.agent.call.asserted_identity import trusting
from ringback.agent.call.ended_dialogs import EndedDialogs
from ringback.agent.call.info import InfoPackages
from ringback.agent.call.session_timer import Interval
from ringback.agent.exchange import Exchange
from ringback.agent.identity import Identity, who
from ringback.agent.inspection import Refusal, inspect
from ringback.agent.usage import usages_of
from ringback.dialog.dialog import Dialog
from ringback.dialog.dialogs import Dialogs
from ringback.digest import Accounts
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.stack import Stack
from ringback.tokens import Tokens
from ringback.transaction.events import Event, RequestReceived
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.matching import OngoingRequests
from ringback.transaction.reply import reply_flow, stamp_source
from ringback.transaction.timers import DEFAULT_TIMERS, TimerValues
from ringback.transaction.transaction import ServerTransaction
from ringback.transport.resolver import Resolver
from ringback.transport.transports import Transports

if TYPE_CHECKING:
    from ringback.agent.event.expectation import Expectation

T = TypeVar("T")

Receive = Callable[[RequestReceived, float], None]
"""Takes a new request; whoever takes it answers it, now or later."""


class Standing(Protocol):
    """What lasts outside dialogs."""

    def close(self) -> None:
        """The program ends: says goodbye to the peer in a task of the core's, and ends."""


class AgentCore:
    """One party's dialogs, accounts and ways. Whoever serves a method outside dialogs puts itself into `serving`."""

    def __init__(self, identity: Identity, accounts: Accounts, *, timers: TimerValues = DEFAULT_TIMERS, max_transactions: int) -> None:
        self.identity = identity
        self.accounts = accounts
        self.timers = timers
        self.token = Tokens()
        self.dialogs = Dialogs()
        self.resolver = Resolver()
        self.failover_after = 4.0
        """Seconds a server may be silent before the next one is asked, where there is one (RFC 3263 §4.3)."""
        self.loop = asyncio.get_running_loop()
        self.layer = TransactionLayer(timers, max_transactions=max_transactions)
        self.stack = Stack(self, self.layer)
        self.transports: Transports
        self.route_set: tuple[str, ...] = ()
        """Route values of every request outside dialogs: `outbound`, then the Service-Route of a registration (§8.1.2, RFC 3608)."""
        self.outbound: tuple[str, ...] = ()
        """The Route value of the outbound proxy, where there is one: the way of a REGISTER."""
        self.serving: dict[str, Receive | None] = {}
        """Who takes requests that no usage of a dialog takes, by method; None where they make sense to a usage only. The keys are Allow."""
        self.extensions: list[str] = []
        """Option tags that are understood: what Supported says, and what may be required of us."""
        self.accepts: list[str] = ["application/sdp"]
        """The types of body that are understood: what Accept says in an answer to OPTIONS."""
        self.interval = Interval()
        """What calls want of session timers (RFC 4028)."""
        self.software: str | None = None
        self.prefer: Endpoint | None = None
        """The endpoint to send from where there is a choice."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.ended_dialogs = EndedDialogs()
        """The calls that ended a moment ago."""
        self.standing: set[Standing] = set()
        """What lasts without a dialog of its own, and is closed with the agent: subscriptions, publications."""
        self.expectations: dict[tuple[str, str], Expectation] = {}
        """The NOTIFYs that requests of ours have asked for, by Call-ID and our tag in lower case (RFC 6665 §4.4.1)."""
        self.event_packages: dict[str, Receive] = {}
        """Who takes a SUBSCRIBE, by event package. The keys are Allow-Events."""
        self.trusts: Callable[[str], bool] = trusting(())
        """Whether what the peer at an address asserts of others is believed (RFC 3325)."""
        self.info_packages = InfoPackages(None, None)
        """What is taken in INFO."""
        self.message_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Held by whoever sends a MESSAGE, by URI or dialog (RFC 3428 §8)."""
        self._ongoing = OngoingRequests()
        self._agenda = Agenda()

    @property
    def allow(self) -> str:
        """Allow (§20.5): every method that is served, within dialogs or outside."""
        return ", ".join(self.serving)

    def add_capabilities(self, message: Request | Response) -> None:
        """Allow and Supported, as an INVITE and its 2xx should have them (§13.2.1, §13.3.1.4)."""
        message.headers.append("Allow", self.allow)
        if self.extensions:
            message.headers.append("Supported", ", ".join(self.extensions))
        if self.event_packages:
            message.headers.append("Allow-Events", ", ".join(self.event_packages))

    # Requests of ours.

    def request(
        self,
        method: str,
        uri: str,
        *,
        to: str | None = None,
        from_: str | None = None,
        call_id: str | None = None,
        route_set: tuple[str, ...] | None = None,
    ) -> Request:
        """A request outside dialogs (§8.1.1), without Via, Contact and body; `to` and `from_` are name-addrs, From without its tag.

        It takes the core's `route_set` unless another is given.
        """
        fields: list[tuple[str, object]] = [("Max-Forwards", 70)]
        fields += [("Route", route) for route in (self.route_set if route_set is None else route_set)]
        fields += [
            ("From", f"{from_ or self.identity.address};tag={self.token()}"),
            ("To", to or f"<{who(uri)}>"),
            ("Call-ID", call_id or self.token()),
            ("CSeq", f"1 {method}"),
        ]
        if self.software is not None:
            fields.append(("User-Agent", self.software))
        return Request(method, uri, fields)

    def look_up(self, uri: str) -> None:
        """Has the resolver ask where a URI leads, if it does not know: for a request that is soon to come."""
        try:
            if self.resolver.known(uri, self.loop.time()) is None:
                self.resolver.ask(uri, lambda _: None)
        except SipParseError:
            # The request that is to come will say so.
            return

    def begin(
        self,
        request: Request,
        on_response: Callable[[Response, float], None],
        *,
        dialog: Dialog | None = None,
        next_hop: str | None = None,
        target: Target | None = None,
        contact_params: str = "",
    ) -> Exchange:
        """Sends a request, answers challenges, and passes each response up; the last one is final, made up where none came.

        `target` is tried before all that the next hop leads to; `contact_params` stand behind the Contact, where one is added.
        """
        exchange = Exchange(self, request, on_response, dialog, next_hop, target, contact_params)
        exchange.start(self.loop.time())
        self.stack.flush()
        return exchange

    async def ask(self, request: Request, *, dialog: Dialog | None = None, next_hop: str | None = None) -> Exchange:
        """Sends a request and waits for its final response: the exchange's `response`, a 408 or 503 of our own where none came."""
        answered: asyncio.Future[None] = self.loop.create_future()

        def on_response(response: Response, _now: float) -> None:
            if response.is_final and not answered.done():
                answered.set_result(None)

        exchange = self.begin(request, on_response, dialog=dialog, next_hop=next_hop)
        await answered
        return exchange

    async def endpoint_towards(self, uri: str) -> Endpoint | None:
        """The endpoint from which requests to a URI leave; None where nothing leads there. Its host is what the peer can reach."""
        targets = self.resolver.known(uri, self.loop.time())
        if targets is None:
            found: asyncio.Future[list[Target]] = self.loop.create_future()
            self.resolver.ask(uri, found.set_result)
            targets = await asyncio.shield(found)
        for target in targets:
            flow = self.transports.flow_to(target, self.prefer)
            if flow is not None:
                return flow.endpoint
        return None

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that is kept until it ends: for what goes on without anybody waiting."""
        task = self.loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    # Responses of ours.

    def response(self, request: Request, status: int, reason: str | None = None, *, tag: str | None = None) -> Response:
        """A response (§8.2.6) whose To has a tag: this one, or a new one."""
        return response_to(request, status, reason, tag=None if status == 100 else tag or self.token())

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Answers through the machine; what is sent leaves within this turn of the loop."""
        self.layer.respond(transaction, response, self.loop.time())
        self.stack.flush()

    def refuse(self, event: RequestReceived, refusal: Refusal, *, tag: str | None = None) -> None:
        """Answers a request that is not acted upon; an ACK is never answered."""
        transaction = event.transaction
        if transaction is None:
            return
        self.respond(transaction, self.refusal(event.request, refusal, tag=tag))

    def refusal(self, request: Request, refusal: Refusal, *, tag: str | None = None) -> Response:
        """A refusal as a response. `ValueError` where a part of it would begin another line."""
        response = self.response(request, refusal.status, refusal.reason, tag=tag)
        for name, value in refusal.fields:
            response.headers.append(name, value)
        return response

    # The core of the stack.

    def received(self, message: Request | Response | Malformed, data: bytes, flow: Flow) -> None:
        """Takes a message from a transport. §8.1.3.3: a response with more Vias than ours, or none, is somebody else's and discarded."""
        if isinstance(message, Response) and not _has_one_via(message):
            if self.stack.observer is not None:
                self.stack.observer("in", data, flow, None)
            return
        self.stack.received(message, data, flow)

    def receive(self, event: Event, now: float) -> None:
        """Takes a new request (§8.2): to its dialog, or to whoever serves its method."""
        if not isinstance(event, RequestReceived):
            return
        request = event.request
        try:
            if request.method == "CANCEL":
                self._cancelled(event, now)
                return
            dialog = self.dialogs.of_request(request) if request.to_tag is not None else None
            if request.method == "ACK":
                if dialog is not None:
                    _to_usage(dialog, event, now)
                return
            refusal = inspect(self, request, is_in_dialog=dialog is not None)
            if refusal is not None:
                self.refuse(event, refusal)
            elif dialog is not None:
                if dialog.receive(request):
                    if not _to_usage(dialog, event, now):
                        self._unclaimed(event, now, is_in_dialog=True)
                else:
                    # §12.2.2: a number lower than the one before.
                    self.refuse(event, Refusal(500, "CSeq Out of Order"))
            elif request.to_tag is not None:
                self._unclaimed(event, now, is_in_dialog=False)
            elif event.transaction is not None and self._ongoing.is_merged(request, event.transaction):
                self.refuse(event, Refusal(482, "Merged Request"))
            else:
                self.serve(event, now)
        except SipParseError as error:
            self.refuse(event, Refusal(400, f"Malformed {error.field or 'Request-URI'}: {error.reason}"))

    def serve(self, event: RequestReceived, now: float) -> None:
        """Gives a request to whoever serves its method outside dialogs; 481 where it makes sense only within one (§12.2.2)."""
        receive = self.serving[event.request.method]
        if receive is None:
            self.refuse(event, Refusal(481))
        else:
            receive(event, now)

    def _unclaimed(self, event: RequestReceived, now: float, *, is_in_dialog: bool) -> None:
        """A request of a dialog that none of its usages takes, or that is not there: what may begin a usage is served (RFC 6665 §4.4.1)."""
        request = event.request
        if request.method == "BYE" and self._crosses_our_bye(request):
            self.refuse(event, Refusal(200))
        elif request.method == "NOTIFY" or (is_in_dialog and request.method != "INVITE"):
            self.serve(event, now)
        else:
            self.refuse(event, Refusal(481))

    def _crosses_our_bye(self, bye: Request) -> bool:
        """Whether a BYE is for a dialog that one of ours has ended a moment ago: then both have hung up at once (RFC 5407 §3.2.1)."""
        earliest = self.loop.time() - 64 * self.timers.t1
        return self.ended_dialogs.has_our_bye(bye.call_id, bye.to_tag or "0", bye.from_tag or "0", earliest)

    def _cancelled(self, event: RequestReceived, now: float) -> None:
        """§9.2: 200 to the CANCEL whatever becomes of the INVITE; 481 where there is none."""
        cancelled = event.cancels
        if cancelled is None:
            self.refuse(event, Refusal(481))
            return
        user = cancelled.user
        tag = getattr(user, "local_tag", None)
        self.refuse(event, Refusal(200), tag=tag)
        if user is not None:
            user.cancelled(event, now)

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        """Answers what was no SIP message where it can be answered."""
        request = malformed.request
        if request is None or request.method == "ACK":
            return
        try:
            stamp_source(request, flow)
            response = response_to(request, malformed.status, malformed.reason, tag=self.token())
            self.layer.outgoing.append((response.to_bytes(), reply_flow(request.via, flow)))
        except SipParseError:
            # So little of it can be read that even the answer cannot be made.
            return

    def after(self, seconds: float, action: Callable[[], None]) -> Alarm:
        """Has something done after one of a few lengths of time, unless it is cancelled before. Something is sent right after this."""
        return self._agenda.after(seconds, self.loop.time(), action)

    def advance(self, now: float) -> None:
        """Does what is due."""
        self._agenda.advance(now)

    def next_deadline(self) -> float | None:
        """When something is due next."""
        return self._agenda.next_deadline()


def _has_one_via(response: Response) -> bool:
    try:
        headers = response.headers
        if "," not in (headers.line("via") or ","):
            return headers.keys.count("via") == 1
        return len(headers.texts("via")) == 1
    except SipParseError:
        return False


def _to_usage(dialog: Dialog, event: RequestReceived, now: float) -> bool:
    """Gives a request to the dialog's usage that it is for (RFC 5057 §4); False where there is none."""
    return any(usage.receive_request(event, now) for usage in usages_of(dialog))
