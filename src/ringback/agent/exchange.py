"""One request of ours and its answer, over as many attempts as that takes (RFC 3261 §8.1.2, §8.1.3, §22.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import Flow, Target
from ringback.agent.identity import wants_sips
from ringback.agent.overtaken import NOBODY, Overtaken
from ringback.dialog.dialog import Dialog
from ringback.message.derive import cancel_of, response_to
from ringback.message.errors import SipParseError
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, TelUri, parse_uri
from ringback.transaction.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from ringback.transaction.machines import PROCEEDING
from ringback.transaction.transaction import ClientTransaction

if TYPE_CHECKING:
    from ringback.agent.agenda import Alarm
    from ringback.agent.core import AgentCore

# What makes a peer able to reach us again: these carry a Contact (§8.1.1.8, RFC 3311, RFC 6665, RFC 3515).
_WITH_CONTACT = frozenset(("INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE", "OPTIONS"))


class Exchange:
    """A request, its attempts, and its `response` once it is final.

    Each response but the challenges that we answer goes to `on_response(response, now)`. Where none comes, a final one is made up as
    §8.1.3.1 has it, 408 for a timeout and 503 for a transport error; then `fault` says what happened.
    """

    __slots__ = (
        "_alarm",
        "_first",
        "_has_heard",
        "_why_cancelled",
        "contact_params",
        "core",
        "dialog",
        "fault",
        "flow",
        "is_cancelled",
        "next_hop",
        "on_response",
        "overtaken",
        "request",
        "response",
        "targets",
        "transaction",
        "was_cancelled",
    )

    def __init__(
        self,
        core: AgentCore,
        request: Request,
        on_response: Callable[[Response, float], None],
        dialog: Dialog | None = None,
        next_hop: str | None = None,
        target: Target | None = None,
        contact_params: str = "",
    ) -> None:
        """`target` is where to try first, whatever else the next hop leads to; `contact_params` stand behind a Contact that is added."""
        self.core = core
        self.request = request
        self.on_response = on_response
        self.dialog = dialog
        self.next_hop = next_hop or (dialog.next_hop if dialog is not None else next_hop_of(request))
        if ascii_lower(request.uri_text[:5]) == "sips:" and ascii_lower(self.next_hop[:4]) == "sip:":
            # §8.1.2: what goes to a SIPS resource is secured from the first hop on.
            self.next_hop = f"sips:{self.next_hop[4:]}"
        self.targets: list[Target] = []
        """Where to try, in order; the first one is being tried, or has answered."""
        self.contact_params = contact_params
        self.overtaken: tuple[ClientTransaction, ...] = ()
        """Attempts at servers that kept silent until the next one was asked."""
        self._first = target
        self._alarm: Alarm | None = None
        self._has_heard = False
        self.transaction: ClientTransaction | None = None
        self.flow: Flow | None = None
        self.response: Response | None = None
        self.fault = ""
        self.is_cancelled = False
        self.was_cancelled = False
        self._why_cancelled: str | None = None

    @property
    def origin(self) -> str | None:
        """The host that the credentials of this request are for (§22)."""
        return host_of(self.next_hop)

    @property
    def cseq(self) -> int:
        """The CSeq number of the latest attempt."""
        return self.request.cseq.number

    def start(self, now: float) -> None:
        """Sends the first attempt, at once where the next hop is known."""
        core = self.core
        if core.accounts.accounts:
            core.accounts.prepare(self.request, self.origin)
        try:
            targets = core.resolver.known(self.next_hop, now)
        except SipParseError as error:
            self._give_up(503, f"no way leads to {self.next_hop}: {error.reason}", now)
            return
        if targets is None:
            core.resolver.ask(self.next_hop, lambda found: core.stack.run(lambda later: self._found(found, later)))
        else:
            self._found(targets, now)

    def _found(self, targets: list[Target], now: float) -> None:
        self.targets = list(targets)
        if self._first is not None:
            self.targets = [self._first, *(target for target in targets if target != self._first)]
        if self.is_cancelled:
            self._give_up(487, "cancelled before it was sent", now)
        else:
            self._send(now)

    def _send(self, now: float) -> None:
        """Sends to the first target that can be reached; those before it are forgotten."""
        core = self.core
        request = self.request
        while self.targets:
            target = self.targets[0]
            if self.dialog is None and (rest := core.resolver.rest(target, now)) is not None:
                self.fault = f"{target.host} asked to be left alone for another {rest:.0f} s"
                del self.targets[0]
                continue
            if core.accounts.accounts and core.accounts.trusts(self.origin):
                # Within a dialog the same server is known by its address (§12.1.2).
                core.accounts.trust(target.host)
            flow = core.transports.flow_to(target, core.prefer)
            if flow is not None:
                if request.method in _WITH_CONTACT and "contact" not in request.headers.keys:
                    is_secure = wants_sips(request, "route") or (self.dialog is not None and self.dialog.is_secure)
                    request.headers.append("Contact", core.identity.contact(flow.endpoint, is_secure=is_secure) + self.contact_params)
                # RFC 6223 §4.3: whoever stands next may ask for signs of life, for as long as we are registered.
                keep = ";keep" if request.method == "REGISTER" else ""
                self.transaction = core.stack.send_request(request, target, self, f"z9hG4bK{core.token()}{keep}", now, core.prefer)
                if self.transaction is not None:
                    self.flow = self.transaction.flow
                    self._sent(self.transaction)
                    return
                request.headers.remove_first("via")
            del self.targets[0]
        self._give_up(503, self.fault or f"no way leads to {self.next_hop}", now)

    def _sent(self, transaction: ClientTransaction) -> None:
        """Where there is another server, this one must not be silent for long."""
        self._has_heard = False
        if len(self.targets) > 1:
            self._alarm = self.core.after(self.core.failover_after, lambda: self._kept_silent(transaction))

    def _kept_silent(self, transaction: ClientTransaction) -> None:
        """The next server is asked; this one may still answer."""
        # Departs from RFC 3263 §4.3: that says to wait for timer B or F, and nobody who calls waits for 32 s.
        if self.transaction is not transaction or self.response is not None or self.is_cancelled:
            return
        transaction.user = Overtaken(self, transaction, self.targets[0])
        self.overtaken += (transaction,)
        self._failed(408, "no answer", self.core.loop.time())

    def _hear(self) -> None:
        self._has_heard = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def receive(self, event: Event, now: float) -> None:
        """Takes what the transaction has to say."""
        if isinstance(event, ResponseReceived):
            self._hear()
            self._responded(event.response, now)
        elif self.response is not None:
            return
        elif isinstance(event, TransportFailed):
            self._failed(503, event.reason, now)
        elif isinstance(event, TransactionTimedOut):
            if self._has_heard:
                # Somebody worked on it: it is not the server that failed.
                self._give_up(408, "no answer", now)
            else:
                self._failed(408, "no answer", now)

    def _failed(self, status: int, fault: str, now: float) -> None:
        """This server has failed (RFC 3263 §4.3): others come first for a while, and one of them gets this request."""
        self.core.resolver.failed(self.targets[0], now)
        self._try_next(status, fault, now)

    def answered_late(self, transaction: ClientTransaction, target: Target, response: Response, now: float) -> None:
        """Takes a 2xx of a server that was overtaken: it may be the first one, or one more of an INVITE."""
        if response.cseq.number != self.cseq or (self.response is not None and self.request.method != "INVITE"):
            return
        if self.response is None:
            current = self.transaction
            if current is not None and current is not transaction:
                rival = current.user = Overtaken(self, current, self.targets[0])
                self.overtaken += (current,)
                if self._has_heard:
                    rival.cancel(now)
            self._hear()
            self.targets.insert(0, target)
            self.transaction, self.flow = transaction, transaction.flow
        self._responded(response, now)

    def _responded(self, response: Response, now: float) -> None:
        if response.is_provisional:
            if self.is_cancelled:
                self._send_cancel(now)
            self.on_response(response, now)
            return
        if response.is_success:
            self.core.accounts.accepted(self.request, response)
        elif not self.is_cancelled and self._can_be_mended(response):
            self._again(now)
            return
        elif response.status == 503:
            self.core.resolver.failed(self.targets[0], now, response.retry_after)
            if len(self.targets) > 1 and not self.is_cancelled:
                # RFC 3263 §4.3: the next of the servers.
                self._try_next(503, response.reason, now)
                return
        if response.status != 503:
            self.core.resolver.succeeded(self.targets[0])
        # What an earlier server did not say is of no interest any more.
        self.fault = ""
        self.response = response
        self.on_response(response, now)

    def _can_be_mended(self, response: Response) -> bool:
        """Changes the request as a 4xx wants it (§8.1.3.5); False where that is not possible."""
        status = response.status
        if status in (401, 407):
            return self.core.accounts.answer(self.request, response, self.origin)
        # A body that is too large (413) or of a type the peer does not know (415) is what there is to say, and Require holds only what the
        # program insists on (420): without them it would be another request.
        return status == 416 and self._adapt_scheme()

    def _adapt_scheme(self) -> bool:
        """Turns a tel URI into a SIP URI of our own domain (§19.1.6); False for others: no sips URI is made less secure."""
        request = self.request
        uri = request.uri
        if not isinstance(uri, TelUri) or self.dialog is not None:
            return False
        home = self.core.identity.uri
        request.uri = SipUri(home.host, user=str(uri)[4:], port=home.port, params={"user": "phone"}, scheme=home.scheme)
        self.core.accounts.prepare(request, self.origin)
        return True

    def _again(self, now: float) -> None:
        """The same request with a new CSeq number and branch (§8.1.3.5, §22.2)."""
        request = self.request
        request.headers.remove_first("via")
        number = self.cseq + 1
        if self.dialog is not None:
            number = self.dialog.local_seq = max(number, (self.dialog.local_seq or 0) + 1)
        request.headers.set("CSeq", f"{number} {request.method}")
        self._send(now)

    def _try_next(self, status: int, fault: str, now: float) -> None:
        self.fault = fault
        if len(self.targets) > 1 and not self.is_cancelled:
            del self.targets[0]
            self.request.headers.remove_first("via")
            self._send(now)
        else:
            self._give_up(status, fault, now)

    def _give_up(self, status: int, fault: str, now: float) -> None:
        """Acts as if a final response had come (§8.1.3.1)."""
        self.fault = fault
        self.response = response_to(self.request, status)
        self.on_response(self.response, now)

    def cancel(self, reason: str | None = None) -> None:
        """Gives the request up (§9.1): CANCEL goes out as soon as a provisional response has come, and never after a final one.

        `reason` is a Reason value for it (RFC 3326).
        """
        if self.is_cancelled or self.response is not None:
            return
        self.is_cancelled = True
        self._why_cancelled = reason
        if self.transaction is not None and self.transaction.state == PROCEEDING:
            self._send_cancel(self.core.loop.time())
            self.core.stack.flush()

    def _send_cancel(self, now: float) -> None:
        transaction = self.transaction
        if transaction is not None and not self.was_cancelled:
            self.was_cancelled = True
            cancel = cancel_of(self.request)
            if self._why_cancelled is not None:
                cancel.headers.append("Reason", self._why_cancelled)
            self.core.layer.request(cancel, transaction.flow, now, NOBODY)


def next_hop_of(request: Request) -> str:
    """The URI a request outside dialogs goes to: its topmost Route, or its Request-URI (§8.1.2)."""
    routes = request.routes
    return routes[0].uri_text if routes else request.uri_text


def host_of(uri: str) -> str | None:
    """The host of a SIP URI; None where the text is none."""
    try:
        parsed = parse_uri(uri)
    except SipParseError:
        return None
    return parsed.host if isinstance(parsed, SipUri) else None
