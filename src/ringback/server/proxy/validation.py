"""What a request must be before a proxy may forward it (RFC 3261 §16.3, RFC 5393 §4.2)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.server.proxy.routing import Reject

_ROUTED_BY = ("route", "proxy-require", "proxy-authorization")
ROUTED_STATELESSLY_BY = ("route",)
"""What the CANCEL and the ACK of a request repeat of the fields that routing may look at (§9.1, §17.1.1.3)."""

SCHEMES = ("sip", "sips", "tel")
MAX_FORWARDS = 70

# Between the random part of our branches and the part that detects loops; a token character that hexadecimal has not.
LOOP_SEPARATOR = "-"


def loop_hash(request: Request, aor: str, routed_by: Sequence[str] = _ROUTED_BY) -> str:
    """The second part of our branch (RFC 5393 §4.2.1): the same exactly where our routing would decide the same again.

    It covers all that routing looks at: the canonical Request-URI and the fields of these keys, by default Route, Proxy-Require and
    credentials, and, against chance, Call-ID and CSeq number. Never the method.
    """
    keys = request.headers.keys
    text = f"{aor}|{request.call_id}|{request.cseq.number}"
    for key in routed_by:
        if key in keys:
            text += "|" + ",".join(request.headers.texts(key))
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def has_looped(request: Request, sent_by: frozenset[str], own_hash: str) -> bool:
    """Whether one of our own Vias in the request bears the hash this request has now (RFC 5393 §4.2.2)."""
    via = request.via
    if via.sent_by in sent_by and _is_ours(via.branch, own_hash):
        return True
    headers = request.headers
    if headers.keys.count("via") == 1 and "," not in headers.lines[headers.keys.index("via")]:
        return False
    return any(via.sent_by in sent_by and _is_ours(via.branch, own_hash) for via in request.vias)


def _is_ours(branch: str | None, own_hash: str) -> bool:
    return branch is not None and branch.endswith(LOOP_SEPARATOR + own_hash)


def fault_of(request: Request, scheme: str) -> Reject | None:
    """What forbids to proxy the request whatever its target: its hops, its Request-URI's scheme, an extension; None where nothing does."""
    headers = request.headers
    try:
        hops = request.max_forwards
        if hops == 0:
            return Reject(483)
        if scheme not in SCHEMES:
            return Reject(416)
        if "proxy-require" in headers.keys:
            # §16.3 item 5: this proxy understands no extension that clients may demand of proxies.
            return Reject(420, headers=[("Unsupported", ", ".join(headers.values("proxy-require")))])
    except SipParseError as error:
        return Reject(400, f"Malformed {error}")
    return None
