"""What the server answers by itself and forgets: the stateless UAS (RFC 3261 §8.2.7, §11.2)."""

from __future__ import annotations

import logging
import secrets
from hashlib import blake2s

from ringback.address import Flow, host_port
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.server.operation.counts import Counts
from ringback.server.proxy.answer import answer_to
from ringback.server.proxy.routing import Redirect, Reject
from ringback.server.registrar import EXTENSIONS, not_understood
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.matching import is_old_key, request_key
from ringback.transaction.reply import reply_flow, stamp_source
from ringback.transaction.transaction import ServerTransaction

ALLOW = "OPTIONS, REGISTER"
_CAPABILITIES = (
    ("Allow", ALLOW),
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
    ("Accept-Language", "en"),
    ("Supported", ", ".join(EXTENSIONS)),
)

# A source over UDP may be forged until it answers: it gets no more bytes back than so many for each of its own (as in RFC 9000 §8).
_MOST_BYTES_BACK = 3

logger = logging.getLogger("ringback.server")


class StatelessUas:
    """Sends each answer once, one datagram for one, with the same To tag for the same request."""

    def __init__(self, layer: TransactionLayer, counts: Counts) -> None:
        self._layer = layer
        self._counts = counts
        self._tag_key = secrets.token_bytes(16)

    def refuse(self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject) -> None:
        """Answers with a redirection or a refusal."""
        self._counts.refused += 1
        response = answer_to(request, decision, self.tag_of(transaction.key))
        if decision.status in (401, 407) and not transaction.flow.endpoint.is_reliable:
            _shorten(response, _MOST_BYTES_BACK * len(transaction.octets))
        if logger.isEnabledFor(logging.DEBUG):
            place = f"{transaction.flow.endpoint.transport.lower()} {host_port(transaction.flow.host, transaction.flow.port)}"
            logger.debug("%s %s from %s: %s %s", request.method, request.uri_text, place, response.status, response.reason)
        self._layer.reject(transaction, response)

    def has_refused(self, ack: Request) -> bool:
        """Whether an ACK is for an answer of ours, of which nothing is kept: our tag is in To (§8.2.7)."""
        key = request_key(ack, ack.via)
        return not is_old_key(key) and ack.to_tag == self.tag_of(key)

    def tell_capabilities(self, transaction: ServerTransaction, request: Request) -> None:
        """§11.2: what this server understands of requests to itself."""
        unknown = not_understood(request)
        if unknown:
            self.refuse(transaction, request, Reject(420, headers=[("Unsupported", ", ".join(unknown))]))
            return
        response = response_to(request, 200, tag=self.tag_of(transaction.key))
        for name, value in _CAPABILITIES:
            response.headers.append(name, value)
        self._layer.reject(transaction, response)

    def answer_malformed(self, malformed: Malformed, flow: Flow) -> None:
        """Answers what was no SIP message where it can be answered."""
        self._counts.malformed += 1
        request = malformed.request
        if request is None or request.method == "ACK":
            return
        try:
            stamp_source(request, flow)
            response = response_to(request, malformed.status, malformed.reason, tag=self.tag_of(request.headers.line("via") or ""))
            self._layer.count(malformed.status)
            self._layer.outgoing.append((response.to_bytes(), reply_flow(request.via, flow)))
        except SipParseError:
            # So little of it can be read that even the answer cannot be made.
            return

    def tag_of(self, key: str) -> str:
        """The To tag of what answers the request of a transaction, the same each time (§8.2.7)."""
        return blake2s(key.encode("utf-8", "surrogateescape"), key=self._tag_key, digest_size=8).hexdigest()


def _shorten(response: Response, most: int) -> None:
    """Leaves out the last challenges, one excepted, of a response that is longer than so many octets."""
    headers = response.headers
    while headers.keys[-2] == headers.keys[-1] and len(response.to_bytes()) > most:
        headers.remove_line(len(headers.keys) - 1)
