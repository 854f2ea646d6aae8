"""Requests that proved themselves of late, so that their retransmissions need not do so anew (RFC 3261 §16.11, RFC 7616 §5.5)."""

from __future__ import annotations

from hashlib import blake2b

from ringback.address import Flow
from ringback.digest import Verdict
from ringback.message.message import Request

# 64*T1: after that nobody sends a request again (§17.1.1.2).
_SECONDS = 32.0
# A choice: some 2,000 authenticated calls a second without state, at about 500 octets each.
_MOST = 64_000


class Admitted:
    """What came of a request's credentials, for the same request to the octet over the same way.

    A nonce's count is good once. Where a transaction absorbs retransmissions that is no trouble; where none does, they would look like
    somebody else's replays.
    """

    def __init__(self) -> None:
        self._verdicts: dict[bytes, tuple[float, Verdict]] = {}

    def verdict(self, request: Request, flow: Flow, now: float) -> Verdict | None:
        """What came of this very request before; None where it is new."""
        known = self._verdicts.get(_name(request, flow))
        return known[1] if known is not None and known[0] > now else None

    def keep(self, request: Request, flow: Flow, verdict: Verdict, now: float) -> None:
        """Remembers a verdict for as long as retransmissions come."""
        verdicts = self._verdicts
        while verdicts and (len(verdicts) >= _MOST or next(iter(verdicts.values()))[0] <= now):
            del verdicts[next(iter(verdicts))]
        verdicts[_name(request, flow)] = now + _SECONDS, verdict

    def __len__(self) -> int:
        return len(self._verdicts)


def _name(request: Request, flow: Flow) -> bytes:
    return blake2b(f"{flow.remote}\n".encode() + request.to_bytes(), digest_size=16).digest()
