"""The Via of a request that is forwarded without state: computed from the request, and the proof that a response is one to it (§16.11)."""

from __future__ import annotations

import hmac

from ringback.message.fields.via import Via
from ringback.message.message import Message, Request
from ringback.server.proxy.validation import LOOP_SEPARATOR
from ringback.transaction.matching import has_cookie

# No other branch of ours has a full stop there, so a glance tells which responses are worth a digest.
_COOKIE = "z9hG4bK."
# 80 bits, as RFC 2104 §5 allows a digest to be cut to half and no less than 80: an attacker has one try per datagram.
_DIGEST_BYTES = 10


class ComputedVia:
    """Makes branches and knows them again.

    Departs from RFC 3261 §16.11: a branch is the keyed digest of the Via below ours, and no response goes on that lacks it. The sent-by
    alone, which the RFC has looked at, anybody can write, and have us send what he likes to whom he likes.
    """

    def __init__(self, key: bytes) -> None:
        """`key` outlives a restart: so do the responses to what was forwarded before it."""
        self.own_sent_by: frozenset[str] = frozenset()
        self._key = key

    def branch(self, request: Request) -> str:
        """The branch of a request's copy but for its loop hash: the same for its retransmissions, its CANCEL and the ACK of its refusal."""
        return f"{_COOKIE}{self._digest(request.via, request)}"

    def has_sent(self, request: Request) -> bool:
        """Whether a request that seems to come from ourselves does (§16.3 item 4): we computed its topmost Via."""
        vias = request.vias
        return len(vias) > 1 and self.is_ours(vias[0].branch, vias[0].sent_by, vias[1], request)

    def is_ours(self, branch: str | None, sent_by: str, below: Via, message: Message) -> bool:
        """Whether we put a Via with this branch and sent-by above `below` on the request of a message.

        Raises `SipParseError` where Call-ID or CSeq are malformed and needed.
        """
        if branch is None or not branch.startswith(_COOKIE) or sent_by not in self.own_sent_by:
            return False
        given = branch[len(_COOKIE) :].partition(LOOP_SEPARATOR)[0]
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._digest(below, message).encode())

    def _digest(self, via: Via, message: Message) -> str:
        """The digest of what names a transaction and stands in its response, too.

        The source is in it: who cancels a call from another address than it was made from cancels nothing. A client of RFC 2543 has no
        branch of its own for each request; then Call-ID and CSeq number tell them apart, and the loop hash their Request-URIs.
        """
        text = f"{via.transport} {via.sent_by} {via.branch} {via.received or via.host}"
        if not has_cookie(via):
            text += f"\n{message.call_id}\n{message.cseq.number}"
        return hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), "sha256")[:_DIGEST_BYTES].hex()
