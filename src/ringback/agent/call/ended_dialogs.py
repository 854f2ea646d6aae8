"""The calls that ended a moment ago: what names one comes too late, and is not merely unknown (RFC 3891 §3, RFC 3911 §4, RFC 5407 §2)."""

from __future__ import annotations

from collections import OrderedDict

from ringback.dialog.dialog import Dialog
from ringback.message.grammar import ascii_lower

# A choice, like its 64*T1: long enough for a request that was under way when the call ended, some 200 octets each.
MAX_ENDED = 1000

_Name = tuple[str, str, str]


class EndedDialogs:
    """The names of the latest dialogs to have ended, when, and whether by a BYE of ours."""

    __slots__ = ("_ended",)

    def __init__(self) -> None:
        self._ended: OrderedDict[_Name, tuple[float, bool]] = OrderedDict()

    def add(self, dialog: Dialog, now: float, *, by_our_bye: bool = False) -> None:
        """Notes that a dialog has ended."""
        ended = self._ended
        if len(ended) >= MAX_ENDED:
            ended.popitem(last=False)
        ended[_name(dialog.call_id, dialog.local_tag, dialog.remote_tag or "0")] = now, by_our_bye

    def has_since(self, call_id: str, local_tag: str, remote_tag: str, earliest: float) -> bool:
        """Whether a dialog of this name has ended then or later; 0 names a peer without tag too."""
        ended = self._ended.get(_name(call_id, local_tag, remote_tag))
        return ended is not None and ended[0] >= earliest

    def has_our_bye(self, call_id: str, local_tag: str, remote_tag: str, earliest: float) -> bool:
        """Whether it was a BYE of ours that has ended a dialog of this name, then or later."""
        ended = self._ended.get(_name(call_id, local_tag, remote_tag))
        return ended is not None and ended[1] and ended[0] >= earliest


def _name(call_id: str, local_tag: str, remote_tag: str) -> _Name:
    return call_id, ascii_lower(local_tag), ascii_lower(remote_tag)
