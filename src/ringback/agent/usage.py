"""What a dialog lives for: a session, a subscription (RFC 5057 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ringback.dialog.dialog import Dialog
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore


class Usage(Protocol):
    """One usage of a dialog. It puts itself into `dialog.usages` with `dialog.begin` and ends with `leave`."""

    def receive_request(self, event: RequestReceived, now: float) -> bool:
        """Takes a request within the dialog and answers it, now or later; False where it is for another usage."""

    def close(self) -> None:
        """The program ends: says goodbye to the peer in a task of the core's, and ends."""

    def dialog_ended(self, reason: str) -> None:
        """The dialog is gone with all its usages (RFC 5057 §5.1): ends without a word to the peer."""


def leave(core: AgentCore, dialog: Dialog, usage: Usage) -> None:
    """Ends a usage; the dialog with it if that was its last."""
    if dialog.end(usage):
        core.dialogs.remove(dialog)


def usages_of(dialog: Dialog) -> list[Usage]:
    """The usages of a dialog, as a list that does not change when one of them ends."""
    return list(dialog.usages)  # the dialog room knows usages as objects only
