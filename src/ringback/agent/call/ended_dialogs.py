"""The calls that ended a moment ago: what names one of them comes too late, and is not merely unknown (RFC 3891 §3, RFC 3911 §4)."""

from __future__ import annotations

from collections import OrderedDict

from ringback.dialog.dialog import Dialog
from ringback.message.grammar import ascii_lower

# A choice, like its 64*T1: long enough for a request that was under way when the call ended, some 200 octets each.
MAX_ENDED = 1000

_Name = tuple[str, str, str]


class EndedDialogs:
    """The names of the latest dialogs to have ended, and when."""

    __slots__ = ("_ended",)

    def __init__(self) -> None:
        self._ended: OrderedDict[_Name, float] = OrderedDict()

    def add(self, dialog: Dialog, now: float) -> None:
        """Notes that a dialog has ended."""
        ended = self._ended
        if len(ended) >= MAX_ENDED:
            ended.popitem(last=False)
        ended[_name(dialog.call_id, dialog.local_tag, dialog.remote_tag or "0")] = now

    def has_since(self, call_id: str, local_tag: str, remote_tag: str, earliest: float) -> bool:
        """Whether a dialog of this name has ended then or later; 0 names a peer without tag too."""
        at = self._ended.get(_name(call_id, local_tag, remote_tag))
        return at is not None and at >= earliest


def _name(call_id: str, local_tag: str, remote_tag: str) -> _Name:
    return call_id, ascii_lower(local_tag), ascii_lower(remote_tag)
