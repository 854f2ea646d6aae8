"""Which transaction a message belongs to: RFC 3261 §17.1.3, §17.2.3, §9.2, and merged requests, §8.2.2.2.

A key is a text that two messages share when they belong to the same transaction, so that one dict lookup matches a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.message.message import Message, Request, Response
from ringback.message.passing import PassingResponse

if TYPE_CHECKING:
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction


def has_cookie(via: Via) -> bool:
    """Whether a Via's branch begins with RFC 3261's magic cookie, the promise that it names one transaction alone (§8.1.1.7)."""
    branch = via.params.get("branch")
    return branch is not None and len(branch) > 7 and (branch[:7] == "z9hG4bK" or branch[:7].lower() == "z9hg4bk")


def transaction_key(via: Via, method: str) -> str:
    """Branch, sent-by and method, for a Via whose branch has the magic cookie.

    §17.2.3 asks for all three. §17.1.3 asks for branch and method only, but a response that names another sender is not ours (§18.1.2).
    """
    return key_of(via.params["branch"] or "", via.host, via.port, method)


def key_of(branch: str, host: str, port: int | None, method: str) -> str:
    """The same of its parts."""
    # §7.3.1: parameter values compare without case. No branch and no host holds a line feed: two messages cannot be made to look like one.
    return f"{branch}\n{host}:{port}".lower() + "\n" + method


def method_of(key: str) -> str:
    """The method at the end of a key."""
    return key[key.rfind("\n") + 1 :]


def client_of(response: Response, clients: dict[str, ClientTransaction]) -> ClientTransaction | None:
    """The client transaction that a response belongs to, of those given by their keys (§17.1.3)."""
    if response.__class__ is PassingResponse and response.is_untouched:
        return clients.get(f"{response.branch}\n{response.sent_by}".lower() + "\n" + response.method)
    via = response.via
    line = response.headers.line("cseq")
    if line is None or "branch" not in via.params:
        return None
    # What stands behind the last blank is the method unless somebody writes a CSeq strangely; then no transaction is found this way.
    transaction = clients.get(transaction_key(via, line[line.rfind(" ") + 1 :]))
    if transaction is None:
        try:
            return clients.get(transaction_key(via, response.cseq.method))
        except SipParseError:
            return None
    return transaction


def request_key(request: Request, via: Via) -> str:
    """The key of the server transaction that a request belongs to, for an ACK that of its INVITE. `via` is the topmost."""
    method = request.method
    if has_cookie(via):
        return key_of(via.params["branch"] or "", via.host, via.port, "INVITE" if method == "ACK" else method)
    return old_key(request, via, method, tag_of(request, "to"))


def cancelled_key(cancel: Request, via: Via) -> str:
    """The key of the INVITE that a CANCEL belongs to (§9.2)."""
    if has_cookie(via):
        return transaction_key(via, "INVITE")
    return old_key(cancel, via, "INVITE", tag_of(cancel, "to"))


def old_key(request: Request, via: Via, method: str, to_tag: str) -> str:
    """The key for a client that writes no magic cookie, as in RFC 2543 (§17.2.3).

    Its ACK bears the To tag of the response it acknowledges: it is found under the key made with that tag and the method ACK.
    """
    # A retransmission repeats its original to the octet, so the Request-URI compares as text.
    parts = (
        "",
        request.uri_text,
        to_tag,
        tag_of(request, "from"),
        request.call_id,
        str(request.cseq.number),
        f"{via.transport} {via.sent_by} {via.params.get('branch')}",
        method,
    )
    return "\n".join(parts)


def is_old_key(key: str) -> bool:
    """Whether a key is one of `old_key`."""
    return key[0] == "\n"


def tag_of(message: Message, name: str) -> str:
    """The tag of From or To; all of the field where it cannot be read, since a retransmission is the same text anyway."""
    try:
        tag = message.to_tag if name == "to" else message.from_tag
    except SipParseError:
        return message.headers.text(name) or ""
    return tag or ""


class OngoingRequests:
    """The requests a UAS has in hand, to find merged ones: the same request come by two ways, most likely forked (§8.2.2.2)."""

    __slots__ = ("_limit", "_transactions")

    def __init__(self) -> None:
        self._transactions: dict[tuple[str, str, str, int], ServerTransaction] = {}
        self._limit = 1024

    def is_merged(self, request: Request, transaction: ServerTransaction) -> bool:
        """Whether another ongoing transaction is about this very request, which then deserves a 482; if not, it is ongoing from now on."""
        if tag_of(request, "to"):
            return False
        cseq = request.cseq
        name = (tag_of(request, "from"), request.call_id, cseq.method, cseq.number)
        other = self._transactions.get(name)
        if other is not None and other is not transaction and not other.is_terminated:
            return True
        if len(self._transactions) >= self._limit:
            self._transactions = {key: value for key, value in self._transactions.items() if not value.is_terminated}
            self._limit = max(1024, 2 * len(self._transactions))
        self._transactions[name] = transaction
        return False
