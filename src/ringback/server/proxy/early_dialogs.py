"""Early dialogs whose end a caller wants to hear of: 199 (RFC 6228 §6)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.server.proxy.branch import Branch

# A peer that invents tags must not make us remember them all; a forking proxy behind a branch has fewer phones than that.
_MOST_EARLY = 16


def wants_199(request: Request) -> bool:
    """Whether the caller understands 199 and does not insist on reliable responses, of which a proxy can send none."""
    try:
        return "199" in request.supported and "100rel" not in request.require
    except SipParseError:
        return False


def note_early(branch: Branch, response: Response) -> None:
    """Remembers the early dialog that a provisional response has begun; forgets the one that a 199 has ended."""
    try:
        tag = response.to_tag
    except SipParseError:
        return
    if tag is None:
        return
    if response.status == 199:
        branch.early = tuple(one for one in branch.early if one != tag)
    elif tag not in branch.early and len(branch.early) < _MOST_EARLY:
        branch.early += (tag,)
