"""Sending the peer of a call to somebody else: blind and attended transfer, the transferor's side (RFC 5589 §6, §7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.agent.call.outgoing_call import OutgoingCall
from ringback.agent.errors import TransferFailed
from ringback.agent.identity import who
from ringback.agent.transfer.refer import DEFAULT_PATIENCE, OnProgress, Reference, undisturbed
from ringback.agent.transfer.sipfrag import StatusLine
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.call.session import Session

# RFC 5589 §7.3: what a target answers who is not found under the one URI and may be under the other; 481 says that another phone answered.
_TRY_ELSEWHERE = frozenset((403, 404, 408, 410, 420, 480, 481, 503))

# §7.4: the peer does not know REFER.
_CANNOT_REFER = frozenset((405, 501))


async def transfer_blind(
    call: Call, uri: str, *, reports: bool = True, patience: float = DEFAULT_PATIENCE, on_progress: OnProgress | None = None
) -> StatusLine:
    """Sends the peer to a URI (§6); once the peer says it has got there, the call is hung up. After a failure it stands as before."""
    result = await _refer(call, uri, reports, patience, on_progress)
    await call.hang_up()
    return result


async def transfer_attended(
    call: Call, other: Call, *, patience: float = DEFAULT_PATIENCE, on_progress: OnProgress | None = None
) -> StatusLine:
    """Brings the peers of two calls together (§7.3): one is sent to the other with a Replaces of the other's call with us.

    It is `call`'s peer that is sent, unless it knows no REFER or the other one no Replaces and it is the other way round (§7.2, §7.4).
    Another call that is not answered yet is waited for (§7.6). When both are together, both calls are hung up; after a failure both stand.
    """
    if isinstance(other, OutgoingCall) and not other.is_answered:
        await other.answered()
    referee, replaced = call, other
    if _is_better_reversed(call.standing(), other.standing()):
        referee, replaced = other, call
    try:
        result = await _refer_to_call(referee, replaced, patience, on_progress)
    except TransferFailed as error:
        if not error.is_refused or error.status not in _CANNOT_REFER:
            raise
        referee, replaced = replaced, referee
        result = await _refer_to_call(referee, replaced, patience, on_progress)
    await undisturbed(call.core.spawn(_part(referee, replaced)))
    return result


async def _refer_to_call(referee: Call, replaced: Call, patience: float, on_progress: OnProgress | None) -> StatusLine:
    """Tries the URIs under which the replaced call's peer may be reached, one after the other."""
    targets = refer_to_of(replaced)
    while True:
        try:
            return await _refer(referee, targets.pop(0), True, patience, on_progress)
        except TransferFailed as error:
            if not targets or error.is_refused or error.status not in _TRY_ELSEWHERE or referee.is_over or replaced.is_over:
                raise


def _refer(call: Call, refer_to: str, reports: bool, patience: float, on_progress: OnProgress | None) -> Reference:
    """The REFER to a call's peer: within the dialog, or beside it where §5 allows that."""
    session = call.standing()
    dialog = session.dialog
    if not _goes_beside(session):
        return Reference(call.core, "", refer_to, session=session, reports=reports, patience=patience, on_progress=on_progress)
    # RFC 4538 §3: the tags as the peer sees them.
    target_dialog = f"{dialog.call_id};local-tag={dialog.remote_tag};remote-tag={dialog.local_tag}"
    headers = [("Target-Dialog", target_dialog), ("Require", "tdialog")]
    return Reference(
        call.core, dialog.remote_target, refer_to, headers=headers, reports=reports, patience=patience, on_progress=on_progress
    )


def _goes_beside(session: Session) -> bool:
    """§5: whether the peer is reached outside of the dialog too and knows which dialog a Target-Dialog means."""
    return "tdialog" in session.peer_supports and session.dialog.remote_tag is not None and _is_gruu(session.dialog.remote_target)


def _is_gruu(uri_text: str) -> bool:
    uri = parse_uri(uri_text)
    return isinstance(uri, SipUri) and "gr" in uri.params


def _is_better_reversed(referee: Session, replaced: Session) -> bool:
    """§7.2, §7.4: whether the other peer is the one that can be referred, or the one whose call cannot be replaced."""
    if not referee.allows("REFER"):
        return replaced.allows("REFER")
    return "replaces" not in replaced.peer_supports and "replaces" in referee.peer_supports and replaced.allows("REFER")


def refer_to_of(replaced: Call) -> list[str]:
    """The URIs that lead to the peer of a call and name the call to be replaced, the best first (§7.3, §7.5).

    Its Contact where that is known to lead there from everywhere: a GRUU, or one that we reach without any proxy. Else its
    address-of-record is better, since proxies of its own know the way.
    """
    session = replaced.standing()
    dialog = session.dialog
    named = f"{dialog.call_id};to-tag={dialog.remote_tag or 0};from-tag={dialog.local_tag}"
    asked_for = SipUri("", headers=[("Replaces", named), ("Require", "replaces")]).headers_text
    aor = replaced.uri if isinstance(replaced, OutgoingCall) else replaced.remote.uri_text
    targets = [dialog.remote_target, who(aor)]
    if dialog.route_set and not _is_gruu(dialog.remote_target):
        targets.reverse()
    found: list[str] = []
    for text in targets:
        try:
            uri = parse_uri(text)
        except SipParseError:
            # A caller's From may be no URI that anybody could call.
            continue
        if isinstance(uri, SipUri):
            target = uri.copy()
            target.headers_text = asked_for
            if str(target) not in found:
                found.append(str(target))
    return found


async def _part(referee: Call, replaced: Call) -> None:
    """We hang up on the one that has called, and the other one on us as soon as it has replaced us (RFC 3891 §3), or else we on it."""
    await referee.hang_up()
    try:
        async with asyncio.timeout(replaced.core.timers.t2):
            await replaced.ended()
    except TimeoutError:
        await replaced.hang_up()
