"""The dialog event package as the flows need it (RFC 4235): what a party tells of its calls, and what a subscriber reads from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from ringback.agent.call.call import Call
from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.event.event_package import EventPackage

DIALOG_INFO = "application/dialog-info+xml"
_NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
_STATES = ("trying", "proceeding", "early", "confirmed", "terminated")


class DialogState(NamedTuple):
    """One dialog, as its owner tells of it; empty strings where it says nothing."""

    state: str
    """RFC 4235 §3.7.1: "early", "confirmed", "terminated" …"""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    direction: str = ""
    """Who has called: the owner as "initiator" or "recipient"."""
    remote_target: str = ""

    def replaces(self, *, early_only: bool = False) -> str:
        """A Replaces value for the other party of the dialog: the tags as that one has them (RFC 3891 §3)."""
        return f"{self.call_id};from-tag={self.local_tag};to-tag={self.remote_tag}{';early-only' if early_only else ''}"


def state_of(call: Call) -> DialogState:
    """What there is to tell of a call that rings or stands."""
    session = call.session
    assert session is not None, "a call that nobody has answered yet, not even provisionally, has no dialog"
    dialog = session.dialog
    state = "terminated" if call.is_over else "early" if dialog.is_early else "confirmed"
    direction = "recipient" if isinstance(call, IncomingCall) else "initiator"
    return DialogState(state, dialog.call_id, dialog.local_tag, dialog.remote_tag or "", direction, dialog.remote_target)


def dialog_info(entity: str, *dialogs: DialogState, version: int = 0) -> bytes:
    """The document that tells of all the dialogs of a party (§4)."""
    lines = [f'<dialog-info xmlns="{_NAMESPACE}" version="{version}" state="full" entity={quoteattr(entity)}>']
    for number, dialog in enumerate(dialogs):
        named = zip(("call-id", "local-tag", "remote-tag", "direction"), dialog[1:5], strict=True)
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in named if value)
        target = f"<remote><target uri={quoteattr(dialog.remote_target)}/></remote>" if dialog.remote_target else ""
        lines.append(f'<dialog id="{number}"{attributes}><state>{dialog.state}</state>{target}</dialog>')
    return "\n".join(['<?xml version="1.0"?>', *lines, "</dialog-info>", ""]).encode()


def dialogs_in(body: bytes) -> Sequence[DialogState]:
    """Reads such a document. AssertionError where a state is none of §3.7.1."""
    found = []
    for dialog in ET.fromstring(body).iter(f"{{{_NAMESPACE}}}dialog"):
        state = (dialog.findtext(f"{{{_NAMESPACE}}}state") or "").strip()
        assert state in _STATES, f"no state of a dialog: {state!r}"
        named = [dialog.get(name, "") for name in ("call-id", "local-tag", "remote-tag", "direction")]
        target = dialog.find(f"{{{_NAMESPACE}}}remote/{{{_NAMESPACE}}}target")
        # RFC 4235 §4.1.6.2 has the URI in an attribute; RFC 5359 writes it as the element's text.
        uri = "" if target is None else target.get("uri") or (target.text or "").strip()
        found.append(DialogState(state, *named, uri))
    return found


def dialog_package(entity: str, *dialogs: DialogState) -> EventPackage:
    """The package as a party serves it that has these dialogs to begin with."""
    return EventPackage("dialog", DIALOG_INFO, state=dialog_info(entity, *dialogs))
