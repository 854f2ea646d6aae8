"""The dialogs a user agent is in, found by what names them: Call-ID and two tags (RFC 3261 §12, §12.2.2)."""

from __future__ import annotations

from collections.abc import Iterator

from ringback.dialog.dialog import Dialog
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request


def _key(call_id: str, local_tag: str) -> str:
    # §7.3.1: parameter values compare without case, Call-ID with it (§20.8). No tag holds a line feed.
    return f"{ascii_lower(local_tag)}\n{call_id}"


def _remote(tag: str | None) -> str:
    return "" if tag is None else ascii_lower(tag)


class Dialogs:
    """The table of dialogs. Finding one takes the same time however many there are, also within one INVITE that was forked."""

    __slots__ = ("_count", "_found")

    def __init__(self) -> None:
        # Nearly every Call-ID and local tag name one dialog, which then stands there alone; those of a fork stand there by remote tag.
        self._found: dict[str, Dialog | dict[str, Dialog]] = {}
        self._count = 0

    def add(self, dialog: Dialog) -> None:
        """Enters a dialog; `ValueError` where another of the same name is in the table."""
        key = _key(dialog.call_id, dialog.local_tag)
        found = self._found.get(key)
        if found is None:
            self._found[key] = dialog
        else:
            if isinstance(found, Dialog):
                found = {_remote(found.remote_tag): found}
            remote = _remote(dialog.remote_tag)
            if remote in found:
                raise ValueError(f"{dialog} is in the table")
            found[remote] = dialog
            self._found[key] = found
        self._count += 1

    def remove(self, dialog: Dialog) -> None:
        """Takes a dialog out; one that is not in the table is out already."""
        key = _key(dialog.call_id, dialog.local_tag)
        found = self._found.get(key)
        if found is dialog:
            del self._found[key]
        elif isinstance(found, dict) and found.get(_remote(dialog.remote_tag)) is dialog:
            del found[_remote(dialog.remote_tag)]
            if not found:
                del self._found[key]
        else:
            return
        self._count -= 1

    def find(self, call_id: str, local_tag: str, remote_tag: str | None) -> Dialog | None:
        """The dialog of this name, None where there is none.

        For Replaces and Join, whose To tag is the local one, a remote tag of 0 stands for a peer without tag too (RFC 3891 §6.1).
        """
        found = self._found.get(_key(call_id, local_tag))
        if found is None:
            return None
        remote = _remote(remote_tag)
        if isinstance(found, dict):
            return found.get(remote) or (found.get("") if remote == "0" else None)
        its = _remote(found.remote_tag)
        return found if its == remote or (remote == "0" and not its) else None

    def of_request(self, request: Request) -> Dialog | None:
        """The dialog a request belongs to (§12.2.2); None where its To has no tag or it names no dialog of ours, which then gets a 481.

        Raises `SipParseError` where From or To is malformed.
        """
        local_tag = request.to_tag
        if local_tag is None:
            return None
        return self.find(request.call_id, local_tag, request.from_tag)

    def early_of(self, call_id: str, local_tag: str) -> list[Dialog]:
        """The early dialogs of one INVITE, more than one where it was forked (§12.1, §13.2.2.4)."""
        found = self._found.get(_key(call_id, local_tag))
        if found is None:
            return []
        dialogs = found.values() if isinstance(found, dict) else (found,)
        return [dialog for dialog in dialogs if dialog.is_early]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Dialog]:
        """Every dialog; the table may change meanwhile."""
        for found in list(self._found.values()):
            if isinstance(found, dict):
                yield from list(found.values())
            else:
                yield found

    def __contains__(self, dialog: object) -> bool:
        return isinstance(dialog, Dialog) and self.find(dialog.call_id, dialog.local_tag, dialog.remote_tag) is dialog
