"""Our own Record-Route entry, and how it proves a dialog (RFC 3261 §16.4, §16.6 item 4).

The URI carries a keyed digest over Call-ID and the caller's tag. An in-dialog request is relayed only where it shows that digest again:
whoever never had a dialog through this proxy cannot make one up. The key lives in the store, so dialogs outlive a restart.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ringback.message.message import Request
from ringback.message.uri import SipUri

if TYPE_CHECKING:
    from ringback.address import Endpoint

_PARAMETER = "proof"
# 80 bits, as RFC 2104 §5 allows a digest to be cut to half and no less than 80: an attacker has one try per datagram.
_DIGEST_BYTES = 10


class RecordRoute:
    """Makes the Record-Route value of a dialog and knows it again in Route or Request-URI."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._beginnings: dict[Endpoint, str] = {}
        self._route_lines: dict[Endpoint, str] = {}

    def serve(self, endpoints: list[Endpoint]) -> None:
        """Names the listening points. The URI names a transport only where its address has no UDP beside it (§16.6 item 4)."""
        datagram = {(e.host, e.port) for e in endpoints if e.transport == "UDP"}
        self._beginnings = {}
        self._route_lines = {}
        for endpoint in endpoints:
            transport = "" if (endpoint.host, endpoint.port) in datagram else f";transport={endpoint.transport.lower()}"
            self._beginnings[endpoint] = beginning = f"<sip:{endpoint.sent_by}{transport};lr;{_PARAMETER}="
            self._route_lines[endpoint] = f"Route: {beginning}"

    def proof(self, call_id: str, tag: str) -> str:
        """The digest that stands for a dialog: of its Call-ID and its caller's tag."""
        text = f"{len(call_id)}:{call_id}{tag}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, text, "sha256")[:_DIGEST_BYTES].hex()

    def value(self, request: Request, endpoint: Endpoint) -> str:
        """The Record-Route value for a dialog that `request` begins, received on `endpoint`."""
        return f"{self._beginnings[endpoint]}{self.proof(request.call_id, request.from_tag or '')}>"

    def proof_in_line(self, line: str, endpoint: Endpoint) -> str | None:
        """The proof within a raw Route line where that is nothing but our own entry, to the letter; else None."""
        beginning = self._route_lines[endpoint]
        if line.startswith(beginning) and line[-1] == ">":
            proof = line[len(beginning) : -1]
            if proof.isalnum():
                return proof
        return None

    def proof_in(self, uri: SipUri) -> str | None:
        """The proof that a URI of ours carries, None where it carries none."""
        return uri.params.get(_PARAMETER)

    def proves(self, proof: str | None, request: Request) -> bool:
        """Whether a proof belongs to the dialog a request claims to be in; either party may send it."""
        if not proof:
            return False
        call_id = request.call_id
        given = proof.encode("utf-8", "surrogateescape")
        return self._is_proof(given, call_id, request.from_tag) or self._is_proof(given, call_id, request.to_tag)

    def _is_proof(self, given: bytes, call_id: str, tag: str | None) -> bool:
        return tag is not None and hmac.compare_digest(self.proof(call_id, tag).encode(), given)
