"""Our own Record-Route entries, and how they prove a dialog and lead back to its parties (RFC 3261 §16.4, §16.6 item 4, RFC 5658).

A URI carries a keyed digest over Call-ID, the caller's tag and both parties, and these parties in the clear: the address of each, and the
flow it is reached down where it is reached in no other way (RFC 5626 §5.3). An in-dialog request is relayed only where it shows that digest
again: whoever never had a dialog through this proxy cannot make one up, and whoever has only overheard one is not at its party's address.
The key lives in the store, so dialogs outlive a restart.

Where a dialog goes in over one endpoint and out over another there are two entries, and each party sees on top the one on its own side.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from ringback.message.message import Request
from ringback.message.uri import SipUri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ringback.address import Endpoint

UNPROVEN, ELSEWHERE, AT_HOME = range(3)
"""What a proof says of a request: nothing; that its dialog exists; and that the party it claims to come from is at the very address."""

_PARAMETER = "proof"
_LOOSE_AND_PROVEN = f";lr;{_PARAMETER}="
# 80 bits, the shortest that RFC 2104 §5 thinks enough: an attacker has one try per datagram.
_DIGEST_BYTES = 10
_DIGEST_DIGITS = 2 * _DIGEST_BYTES
# Between the caller and the callee; neither has it as they are written here.
_SEPARATOR = "y"
DOWN = "~"
"""Between a party's address and the name of its flow: in the proof of a dialog, a party of which is reached down one."""
# What the names of flows consist of beside letters and digits.
_MARKS = str.maketrans("", "", "-._~")


@lru_cache(maxsize=4096)
def _code(host: str) -> str:
    """A numeric address in letters and digits alone, which any parser takes for a parameter's value."""
    return host.partition("%")[0].replace(".", "x").replace(":", "z")


def party(host: str, flow_name: str) -> str:
    """A party that is reached only down a flow, as `RecordRoute` takes it in place of its address."""
    return f"{host}{DOWN}{flow_name}"


class RecordRoute:
    """Makes the Record-Route lines of a dialog and knows them again in Route or Request-URI."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._uris: dict[tuple[Endpoint, bool], str] = {}
        self._route_lines: dict[str, str] = {}
        self._secure: Endpoint | None = None

    def serve(self, endpoints: Sequence[Endpoint]) -> None:
        """Names the listening points."""
        self._uris = {(endpoint, is_sips): _uri(endpoint, is_sips) for endpoint in endpoints for is_sips in (False, endpoint.is_secure)}
        # What an entry of ours is in Route, to the letter, as far as it is the same in every dialog.
        self._route_lines = {f"Route: <{uri}": f"Route: <{uri};lr>" for uri in self._uris.values()}
        self._secure = next((endpoint for endpoint in endpoints if endpoint.transport == "TLS"), None)

    def uri(self, endpoint: Endpoint) -> str:
        """What leads back to a listening point."""
        return self._uris[endpoint, False]

    def proof(self, call_id: str, tag: str, caller: str, callee: str) -> str:
        """What stands for a dialog of this Call-ID and caller's tag between two parties, each an address or made by `party`."""
        one = _code(caller) if DOWN not in caller else _coded(caller)
        other = _code(callee) if DOWN not in callee else _coded(callee)
        hosts = f"{one}{_SEPARATOR}{other}"
        return self._digest(call_id, tag, hosts) + hosts

    def _digest(self, call_id: str, tag: str, hosts: str) -> str:
        text = f"{hosts}/{len(call_id)}:{call_id}{tag}".encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).hexdigest()

    def lines(
        self, dialog: tuple[str, str, str], callee: str, came: Endpoint, goes: Endpoint, *, is_sips: bool, is_wanted: bool = True
    ) -> tuple[str, ...]:
        """The Record-Route lines for a dialog, of which Call-ID, caller's tag and caller are known already.

        Its first request came over the endpoint `came` and leaves by `goes`; `is_sips` where its next hop is a sips URI: then every entry
        is one (§16.6 item 4). Where they are not wanted there are none but for parties that cannot do without us.
        """
        call_id, tag, caller = dialog
        if not is_wanted and came is goes and came.is_secure is is_sips and DOWN not in caller and DOWN not in callee:
            return ()
        if is_sips and not came.is_secure:
            # Nothing secure may be asked for where nothing secure is listening: what comes back has to come over TLS as well.
            came = goes if goes.is_secure else self._secure or came
        uri = self._uris[came, is_sips and came.is_secure]
        entry = f"Record-Route: <{uri}{_LOOSE_AND_PROVEN}{self.proof(call_id, tag, caller, callee)}>"
        if came is goes:
            return (entry,)
        # One is enough to prove the dialog: they travel together.
        return f"Record-Route: <{self._uris[goes, is_sips and goes.is_secure]};lr>", entry

    def proof_in_line(self, line: str) -> str | None:
        """The proof in a raw Route line that is nothing but an entry of ours, to the letter, "" where it holds none; else None."""
        beginning, _, proof = line.partition(_LOOSE_AND_PROVEN)
        if proof:
            if beginning in self._route_lines and proof[-1] == ">" and (proof[:-1].isalnum() or proof[:-1].translate(_MARKS).isalnum()):
                return proof[:-1]
        elif self._route_lines.get(line[:-4]) == line:
            return ""
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
        sender = self._sides(proof, request)[0]
        if sender is None:
            return UNPROVEN
        if DOWN in sender:
            sender = sender.partition(DOWN)[0]
        return AT_HOME if sender == _code(host) else ELSEWHERE

    def _sides(self, proof: str, request: Request) -> tuple[str | None, str]:
        """Which party of a dialog sends a request, and which one it is for; None and "" where that is not proven."""
        if not proof.isascii():
            return None, ""
        given, hosts = proof[:_DIGEST_DIGITS], proof[_DIGEST_DIGITS:]
        call_id = request.call_id
        caller, _, callee = hosts.partition(_SEPARATOR)
        # Either party may send it: the caller's tag is the one in From, or the one in To.
        for tag, sender, other in ((request.from_tag, caller, callee), (request.to_tag, callee, caller)):
            if tag is not None and hmac.compare_digest(self._digest(call_id, tag, hosts), given):
                return sender, other
        return None, ""

    def flow_name(self, proofs: str, request: Request) -> str:
        """The name of the flow that leads to whom a request of a proven dialog is for; "" where that party is reached at its Contact.

        Where the dialog's first request passed here more than once, the last entry is on that party's side.
        """
        return self._sides(proofs.rpartition(",")[2], request)[1].partition(DOWN)[2]

    def is_party(self, proofs: str, host: str) -> bool:
        """Whether a dialog that was proven with these proofs has a party at a numeric address."""
        code = _code(host)
        return any(code == party.partition(DOWN)[0] for proof in proofs.split(",") for party in proof[_DIGEST_DIGITS:].split(_SEPARATOR))


def _uri(endpoint: Endpoint, is_sips: bool) -> str:
    """The URI of a listening point. UDP is what a sip URI means by itself, TLS what a sips URI does (RFC 3263 §4.1)."""
    transport = endpoint.transport
    if is_sips:
        return f"sips:{endpoint.sent_by}{';transport=ws' if transport == 'WSS' else ''}"
    # RFC 7118 names WSS only for sips; who comes over it in a call that need not be secure throughout is told so all the same.
    return f"sip:{endpoint.sent_by}{'' if transport == 'UDP' else f';transport={transport.lower()}'}"


def _coded(party: str) -> str:
    host, down, flow_name = party.partition(DOWN)
    return f"{_code(host)}{down}{flow_name}"
