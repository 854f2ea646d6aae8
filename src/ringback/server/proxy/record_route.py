"""Our own Record-Route entry, and how it proves a dialog (RFC 3261 §16.4, §16.6 item 4).

The URI carries a keyed digest over Call-ID, the caller's tag and the addresses of both parties, and these addresses in the clear. An
in-dialog request is relayed only where it shows that digest again: whoever never had a dialog through this proxy cannot make one up, and
whoever has only overheard one is not at its party's address. The key lives in the store, so dialogs outlive a restart.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

from ringback.message.message import Request
from ringback.message.uri import SipUri

if TYPE_CHECKING:
    from ringback.address import Endpoint

UNPROVEN, ELSEWHERE, AT_HOME = range(3)
"""What a proof says of a request: nothing; that its dialog exists; and that the party it claims to come from is at the very address."""

_PARAMETER = "proof"
# 80 bits, as RFC 2104 §5 allows a digest to be cut to half and no less than 80: an attacker has one try per datagram.
_DIGEST_BYTES = 10
_DIGEST_DIGITS = 2 * _DIGEST_BYTES
# Between the caller's address and the callee's; no address has it as `_code` writes them.
_SEPARATOR = "y"


@lru_cache(maxsize=4096)
def _code(host: str) -> str:
    """A numeric address in letters and digits alone, which any parser takes for a parameter's value."""
    return host.partition("%")[0].replace(".", "x").replace(":", "z")


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

    def proof(self, call_id: str, tag: str, caller: str, callee: str) -> str:
        """What stands for a dialog of this Call-ID and caller's tag between two addresses."""
        hosts = f"{_code(caller)}{_SEPARATOR}{_code(callee)}"
        return self._digest(call_id, tag, hosts) + hosts

    def _digest(self, call_id: str, tag: str, hosts: str) -> str:
        text = f"{hosts}/{len(call_id)}:{call_id}{tag}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, text, "sha256")[:_DIGEST_BYTES].hex()

    def value(self, dialog: tuple[str, str], endpoint: Endpoint, caller: str, callee: str) -> str:
        """The Record-Route value for a dialog, of which Call-ID and caller's tag are known already.

        Its first request was received on `endpoint` from the address `caller` and goes to `callee`.
        """
        return f"{self._beginnings[endpoint]}{self.proof(*dialog, caller, callee)}>"

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

    def standing(self, proofs: str, request: Request, host: str) -> int:
        """What proofs, separated by commas, say of a request from the address `host` that claims to be in a dialog.

        Several come together where the dialog's first request passed here more than once: the party is at home by one of them.
        """
        if "," in proofs:
            return max(self._standing(proof, request, host) for proof in proofs.split(","))
        return self._standing(proofs, request, host)

    def _standing(self, proof: str, request: Request, host: str) -> int:
        given = proof[:_DIGEST_DIGITS].encode("utf-8", "surrogateescape")
        hosts = proof[_DIGEST_DIGITS:]
        call_id = request.call_id
        caller, _, callee = hosts.partition(_SEPARATOR)
        # Either party may send it: the caller's tag is the one in From, or the one in To.
        for tag, party in ((request.from_tag, caller), (request.to_tag, callee)):
            if tag is not None and hmac.compare_digest(self._digest(call_id, tag, hosts).encode(), given):
                return AT_HOME if party == _code(host) else ELSEWHERE
        return UNPROVEN

    def is_party(self, proofs: str, host: str) -> bool:
        """Whether a dialog that was proven with these proofs has a party at a numeric address."""
        code = _code(host)
        return any(code in proof[_DIGEST_DIGITS:].split(_SEPARATOR) for proof in proofs.split(","))
