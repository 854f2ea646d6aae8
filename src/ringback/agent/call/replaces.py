"""A new call that takes the place of another one, or joins it: INVITE with Replaces (RFC 3891) or Join (RFC 3911), as it comes in.

Nobody but the parties of a dialog and who is on its way knows its Call-ID and both tags, ours being chance: as RFC 4538 §4 lets us, we take
that knowledge for the right to replace, unless a program's policy asks for more (`UserAgent(may_replace=is_sent_by_the_party)`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.call.outgoing_call import OutgoingCall
from ringback.agent.call.session import Session
from ringback.agent.inspection import Refusal
from ringback.agent.usage import usages_of
from ringback.message.errors import SipParseError
from ringback.message.fields.dialog_id import Join, Replaces
from ringback.message.message import Request
from ringback.message.uri import SipUri

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.core import AgentCore

MayReplace = Callable[[Request, "Call"], bool]
"""Whether an INVITE may take the place of a call of ours."""


# Departs from RFC 3891 §8: who may be authenticated at all is the program's affair, for a user agent shares no secret with strangers. It
# sees in `call.replaces` what is at stake before it answers, and nothing is replaced unless it does.
def knows_the_dialog(request: Request, replaced: Call) -> bool:
    """Whoever names the dialog may replace it: the default."""
    return True


def is_sent_by_the_party(request: Request, replaced: Call) -> bool:
    """Whether the peer of the replaced call sends the INVITE, as From says, or has sent somebody, as Referred-By says (RFC 3891 §3).

    Both are what the sender claims: good for peers and proxies that are trusted to look.
    """
    try:
        addresses = [request.from_, request.value("Referred-By")]
        aors = [_aor(address.uri) for address in addresses if address is not None]
        return _aor(replaced.remote.uri) in aors
    except SipParseError:
        return False


def _aor(uri: object) -> str:
    return uri.aor() if isinstance(uri, SipUri) else str(uri)


def find_named_call(core: AgentCore, request: Request, may_replace: MayReplace, *, accepts_joins: bool) -> Call | Refusal:
    """The call that an INVITE's Replaces or Join names, or why that cannot be. Raises `SipParseError` where the field is malformed."""
    headers = request.headers
    replaces = headers.values("Replaces")
    joins = headers.values("Join")
    if len(replaces) + len(joins) != 1:
        return Refusal(400, "More Than One Replaces Or Join")
    named: Join = (replaces or joins)[0]
    session = _find(core, named)
    if isinstance(session, Refusal):
        return session
    if isinstance(named, Replaces):
        refusal = _cannot_be_replaced(session, named, request, may_replace)
    else:
        refusal = _cannot_be_joined(session, request, may_replace, accepts_joins)
    return refusal or session.call


def _find(core: AgentCore, named: Join) -> Session | Refusal:
    """RFC 3891 §3: the session whose dialog is named so, 481 where there is none, 603 where it has just ended."""
    dialog = core.dialogs.find(named.call_id, named.to_tag, named.from_tag)
    session = None
    if dialog is not None:
        session = next((usage for usage in usages_of(dialog) if isinstance(usage, Session)), None)
    if session is not None and not session.call.is_over:
        return session
    earliest = core.loop.time() - 64 * core.timers.t1
    if session is not None or core.ended_dialogs.has_since(named.call_id, named.to_tag, named.from_tag, earliest):
        # A phone that rang for a call which is over would only annoy.
        return Refusal(603)
    return Refusal(481)


def _cannot_be_replaced(session: Session, named: Replaces, request: Request, may_replace: MayReplace) -> Refusal | None:
    is_early = session.dialog.is_early
    if is_early and (session.call.is_answered or not isinstance(session.call, OutgoingCall)):
        # Only who placed a call can give up what is not answered; one that another callee has answered is as good as over.
        return Refusal(481)
    if not may_replace(request, session.call):
        return Refusal(403, "May Not Replace This Call")
    if named.early_only and not is_early:
        return Refusal(486)
    return None


def _cannot_be_joined(session: Session, request: Request, may_replace: MayReplace, accepts_joins: bool) -> Refusal | None:
    if not may_replace(request, session.call):
        return Refusal(403, "May Not Join This Call")
    if not accepts_joins:
        # RFC 3911 §4: nobody here mixes what is said.
        return Refusal(488, "No Conference Here")
    return None


def replace(call: Call) -> None:
    """Shuts down a call that another one has taken the place of (RFC 3891 §3): BYE, or CANCEL where it was not answered."""
    if call.is_answered and call.session is not None:
        call.core.spawn(call.session.hang_up())
        call.end("another call has taken its place")
    else:
        call.core.spawn(call.hang_up())
