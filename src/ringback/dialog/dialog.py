"""One party's view of a dialog: who talks with whom, by which way, and which number comes next (RFC 3261 §12, §13.2.2.4)."""

from __future__ import annotations

from typing import Any, Self

from ringback.message.errors import SipParseError
from ringback.message.fields.cseq import MAX_CSEQ
from ringback.message.fields.name_addr import NameAddr, parse_bracketed
from ringback.message.grammar import ascii_lower
from ringback.message.headers import Headers
from ringback.message.message import Message, Request, Response
from ringback.message.uri import SipUri

TARGET_REFRESH = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"))
"""Methods whose requests, and whose 2xx, may change the remote target (RFC 5057 §5.4)."""

_OF_ANOTHER_REQUEST = ("ACK", "CANCEL")

# Max-Forwards, From, To, Call-ID, CSeq: in the order of `request`, Route between the first two
_KEYS = ["max-forwards", "from", "to", "call-id", "cseq"]


def establishes_dialog(response: Response) -> bool:
    """Whether a response to an INVITE or SUBSCRIBE begins a dialog: any 2xx, and 101 to 199 with a To tag (§12.1)."""
    return 200 <= response.status < 300 or (100 < response.status < 200 and response.to_tag is not None)


class Dialog:
    """The state of one dialog (§12): made by `of_client` or `of_server`, changed by what passes within it.

    It keeps text, not parses. What a peer wrote badly raises `SipParseError`, which names the field, and changes nothing.
    """

    __slots__ = (
        "_hop",
        "_is_strict",
        "call_id",
        "is_early",
        "is_secure",
        "local",
        "local_seq",
        "local_tag",
        "owns_call_id",
        "remote",
        "remote_seq",
        "remote_tag",
        "remote_target",
        "route_set",
        "usages",
    )

    call_id: str
    local_tag: str
    remote_tag: str | None
    """The peer's tag; None where it has none, as in RFC 2543 (§12.1.1, §12.1.2)."""
    local: str
    """From of our requests, as it was written in the first one, tag included."""
    remote: str
    """To of our requests, tag included if the peer has one."""
    local_seq: int | None
    """The CSeq number of our latest request; None before the first (§12.1.1)."""
    remote_seq: int | None
    """The CSeq number of the peer's latest request; None before the first (§12.1.2)."""
    remote_target: str
    """The peer's Contact: a SIP or SIPS URI as text, fit for a Request-URI."""
    route_set: tuple[str, ...]
    """Route values as the proxies wrote them, the next hop first."""
    is_secure: bool
    """Whether it began with a SIPS Request-URI over TLS: our Contact must be a SIPS URI (§12.2.1.1)."""
    is_early: bool
    owns_call_id: bool
    """Whether we made the Call-ID, as the client of the request that began the dialog: §14.1 asks for it."""
    usages: tuple[Any, ...]
    """What the dialog lives for (RFC 5057); it knows nothing of them. See `begin`."""

    @classmethod
    def of_client(cls, request: Request, response: Response, *, over_tls: bool = True) -> Self:
        """The dialog that a response to our request begins (§12.1.2).

        Raises `SipParseError` where the response has no Contact, for a 1xx without To tag, and where what is kept is malformed. The
        caller is asked for a request with a From tag and a response of 101 to 299 (`ValueError`). `over_tls` matters to SIPS requests only,
        which should know no other way.
        """
        _check_status(response)
        local_tag = request.from_tag
        if local_tag is None:
            raise ValueError("a request that begins a dialog has a From tag")
        # Read whole, though only its tag is needed: what is malformed shall not come back in our requests.
        remote_tag = response.to.tag
        if remote_tag is None and response.status < 200:
            raise SipParseError("Missing To tag", "To")
        dialog = cls.__new__(cls)
        dialog.remote_target = _needed_target(response)
        dialog._set_routes(response.headers.texts("record-route")[::-1])
        dialog.call_id = request.call_id
        dialog.local_tag = local_tag
        dialog.remote_tag = remote_tag
        dialog.local = request.headers.text("from") or ""
        dialog.remote = response.headers.text("to") or ""
        dialog.local_seq = request.cseq.number
        dialog.remote_seq = None
        dialog.is_secure = over_tls and _is_sips(request.uri_text)
        dialog.is_early = response.status < 200
        dialog.owns_call_id = True
        dialog.usages = ()
        return dialog

    @classmethod
    def of_server(cls, request: Request, response: Response, *, over_tls: bool = True) -> Self:
        """The dialog that our response to a peer's request begins (§12.1.1); only the status and the To of the response are read.

        Raises `SipParseError` where the request has no Contact or where what is kept of it is malformed. The caller is asked for a response
        of 101 to 299 with a To tag (`ValueError`). `over_tls` matters to a SIPS request only, which should know no other way.
        """
        _check_status(response)
        local_tag = response.to_tag
        if local_tag is None:
            raise ValueError("a response that begins a dialog has a To tag")
        dialog = cls.__new__(cls)
        dialog.remote_target = _needed_target(request)
        dialog._set_routes(request.headers.texts("record-route"))
        # Both read whole: what is malformed shall not come back in our requests.
        dialog.call_id = request.value("call-id")
        dialog.remote_tag = request.from_.tag
        dialog.local_tag = local_tag
        dialog.local = response.headers.text("to") or ""
        dialog.remote = request.headers.text("from") or ""
        dialog.local_seq = None
        dialog.remote_seq = request.cseq.number
        dialog.is_secure = over_tls and _is_sips(request.uri_text)
        dialog.is_early = response.status < 200
        dialog.owns_call_id = False
        dialog.usages = ()
        return dialog

    @property
    def next_hop(self) -> str:
        """The URI a request within the dialog goes to, as text (§8.1.2): the first route's, or the remote target.

        What began as sips is sent as sips: a Contact or Record-Route that says sip would lead it into the clear (§26.2.2).
        """
        hop = self.remote_target if self._hop is None else self._hop
        return f"sips:{hop[4:]}" if self.is_secure and ascii_lower(hop[:4]) == "sip:" else hop

    def confirm(self, response: Response) -> None:
        """Takes the 2xx that ends the early state; on a dialog already confirmed nothing happens.

        The client takes the route set from it anew (§13.2.2.4: RFC 2543 knew no Record-Route in a 1xx), and its Contact (RFC 6141 §4.9).
        Sequence numbers stay. Raises `SipParseError` where Contact or Record-Route is malformed.
        """
        if not self.is_early:
            return
        if self.owns_call_id:
            target = _target(response)
            self._set_routes(response.headers.texts("record-route")[::-1])
            if target is not None:
                self.remote_target = target
        self.is_early = False

    def refresh_target(self, message: Message) -> None:
        """Takes the Contact of a target refresh request or of its 2xx or reliable 1xx; without one nothing happens.

        A request's Contact is taken when it is answered so, not when it is refused (§12.2.2, RFC 6141 §4.6, §4.7).
        Raises `SipParseError` where Contact is malformed.
        """
        target = _target(message)
        if target is not None:
            self.remote_target = target

    def receive(self, request: Request) -> bool:
        """Whether a request of the peer is in order; if so, its CSeq number is the latest from now on. If not, it gets a 500 (§12.2.2).

        A gap is in order. ACK and CANCEL bear another request's number: they are always in order and change nothing.
        Raises `SipParseError` where CSeq is malformed.
        """
        number = request.cseq.number
        if request.method in _OF_ANOTHER_REQUEST:
            return True
        # An equal number under another transaction is no retransmission: §12.2.1.1 lets numbers only grow.
        if self.remote_seq is not None and number <= self.remote_seq:
            return False
        self.remote_seq = number
        return True

    def request(self, method: str) -> Request:
        """The next request within the dialog, one CSeq number higher (§12.2.1.1): Max-Forwards, Route, From, To, Call-ID, CSeq.

        Via, Contact, Content-Length and a body are for others to add. ACK and CANCEL are no requests of their own (see `ack` and
        `cancel_of`), and numbers end at 2**31 - 1: `ValueError`.
        """
        if method in _OF_ANOTHER_REQUEST:
            raise ValueError(f"{method} bears the number of the request it belongs to")
        # Where no number was used yet any below 2**31 may begin (§8.1.1.5).
        number = 1 if self.local_seq is None else self.local_seq + 1
        if number > MAX_CSEQ:
            raise ValueError("this dialog has no CSeq number left")
        request = self._request(method, number)
        self.local_seq = number
        return request

    def ack(self, cseq: int) -> Request:
        """The ACK of a 2xx, with the CSeq number of its INVITE (§13.2.2.4). The INVITE's credentials are for the caller to add."""
        return self._request("ACK", cseq)

    def begin(self, usage: object) -> None:
        """Notes something the dialog lives for: an INVITE's session, a subscription (RFC 5057 §3)."""
        self.usages += (usage,)

    def end(self, usage: object) -> bool:
        """Forgets a usage, found by identity. True where it was the last one: then the dialog ends too (RFC 5057 §3).

        A usage that has ended before is no last one: False.
        """
        rest = tuple([other for other in self.usages if other is not usage])
        was_last = not rest and bool(self.usages)
        self.usages = rest
        return was_last

    def _request(self, method: str, number: int) -> Request:
        keys = _KEYS.copy()
        lines = [
            "Max-Forwards: 70",
            f"From: {self.local}",
            f"To: {self.remote}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
        ]
        uri = self.remote_target
        routes = self.route_set
        if routes:
            if self._is_strict:
                # A strict router takes the Request-URI for its own name and the topmost Route for the next (§12.2.1.1).
                routes = (*routes[1:], f"<{uri}>")
                uri = self.remote_target if self._hop is None else self._hop
            keys[1:1] = ["route"] * len(routes)
            lines[1:1] = [f"Route: {route}" for route in routes]
        return Request(method, uri, Headers.from_lines(keys, lines))

    def _set_routes(self, routes: list[str]) -> None:
        """Takes a route set; only its first value is read, by us nobody else is addressed."""
        hop = None
        is_strict = False
        if routes:
            try:
                hop, uri = _sip_uri(parse_bracketed(routes[0]))
            except SipParseError as error:
                raise SipParseError(error.reason, "Record-Route") from None
            is_strict = not uri.lr
        self._hop: str | None = hop
        self._is_strict: bool = is_strict
        self.route_set = tuple(routes)

    def __repr__(self) -> str:
        state = "early" if self.is_early else "confirmed"
        return f"<Dialog {self.call_id} {self.local_tag} {self.remote_tag} {state}>"


def _check_status(response: Response) -> None:
    if not 100 < response.status < 300:
        raise ValueError(f"a {response.status} begins no dialog")


def _is_sips(uri_text: str) -> bool:
    return ascii_lower(uri_text[:5]) == "sips:"


def _sip_uri(address: NameAddr) -> tuple[str, SipUri]:
    """An address's URI as a Request-URI may be written: no header components, no method (§19.1.1, table 1). The second is as it came."""
    uri = address.uri
    if not isinstance(uri, SipUri):
        raise SipParseError("no SIP or SIPS URI")
    if uri.headers_text is None and "method" not in uri.params:
        return address.uri_text, uri
    bare = uri.copy()
    bare.headers_text = None
    bare.params.pop("method", None)
    return str(bare), uri


def _target(message: Message) -> str | None:
    """The URI in Contact, None where there is none."""
    contact = message.contact
    if contact is None:
        return None
    if not isinstance(contact, NameAddr):
        raise SipParseError("an address expected", "Contact")
    try:
        return _sip_uri(contact)[0]
    except SipParseError as error:
        raise SipParseError(error.reason, "Contact") from None


def _needed_target(message: Message) -> str:
    target = _target(message)
    if target is None:
        raise SipParseError("Missing Contact", "Contact")
    return target
