"""Where a request shall go, said as a value (RFC 3261 §16.5): policy can be tested without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ringback.message.errors import SipParseError
from ringback.message.status import REASONS
from ringback.message.uri import AnyUri, SipUri, TelUri

if TYPE_CHECKING:
    from ringback.server.location.binding import Binding

Uri = SipUri | TelUri | AnyUri


class Forward:
    """Forward to these targets.

    A target is a URI, as text or typed, or a `Binding` of the location service. They are tried all at once, bindings of a lower q after
    those of a higher (§16.6); `one_by_one` tries each alone, in the order given. `ring_for` bounds each such step in seconds.
    """

    __slots__ = ("one_by_one", "ring_for", "targets")

    def __init__(self, *targets: str | Uri | Binding, one_by_one: bool = False, ring_for: float | None = None) -> None:
        if not targets:
            raise ValueError("Forward needs a target; to refuse a request return Reject(480)")
        if ring_for is not None and ring_for <= 0:
            raise ValueError(f"ring_for is seconds above 0, not {ring_for!r}")
        self.targets = targets
        self.one_by_one = one_by_one
        self.ring_for = ring_for

    def steps(self) -> list[list[str]]:
        """The URIs to try: lists of those tried at once, in order; no URI stands twice (§16.5)."""
        if len(self.targets) == 1:
            return [[_text(self.targets[0])]]
        seen: list[Uri] = []
        ranked: dict[float, list[str]] = {}
        for position, target in enumerate(self.targets):
            text = _text(target)
            if _is_among(text, seen):
                continue
            rank = float(position) if self.one_by_one else -getattr(target, "q", 1.0)
            ranked.setdefault(rank, []).append(text)
        return [ranked[rank] for rank in sorted(ranked)]

    def __repr__(self) -> str:
        return f"Forward({', '.join(_text(target) for target in self.targets)})"


class Redirect:
    """Answer 3xx with these URIs as Contacts (§8.3, §21.3)."""

    __slots__ = ("contacts", "headers", "reason", "status")

    def __init__(self, *contacts: str | Uri, status: int = 302) -> None:
        if not contacts or not 300 <= status <= 399:
            raise ValueError("Redirect needs a contact and a status of 3xx")
        self.contacts = tuple(str(contact) for contact in contacts)
        self.status = status
        self.reason = REASONS.get(status, "Redirected")
        self.headers = _checked((("Contact", f"<{contact}>") for contact in self.contacts), self.reason)

    def __repr__(self) -> str:
        return f"Redirect({', '.join(self.contacts)}, status={self.status})"


class Reject:
    """Answer with a final status that is no success; `headers` are added to the response."""

    __slots__ = ("headers", "reason", "status")

    def __init__(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        if not 400 <= status <= 699:
            raise ValueError(f"Reject takes a status from 400 to 699, not {status!r}")
        self.status = status
        self.reason = REASONS.get(status, "Rejected") if reason is None else reason
        self.headers = _checked(headers, self.reason)

    def __repr__(self) -> str:
        return f"Reject({self.status}, {self.reason!r})"


Decision = Forward | Redirect | Reject


def _text(target: str | Uri | Binding) -> str:
    contact = getattr(target, "contact", None)
    return str(target if contact is None else contact)


def _is_among(text: str, seen: list[Uri]) -> bool:
    """Whether a URI equal by §19.1.4 was seen; adds it if not."""
    from ringback.message.uri import parse_uri

    try:
        uri = parse_uri(text)
    except SipParseError:
        # Nobody's equal: its branch fails by itself, and does not keep the others from being tried.
        return False
    if any(uri.matches(other) for other in seen):
        return True
    seen.append(uri)
    return False


def _checked(headers: Iterable[tuple[str, str]], reason: str) -> tuple[tuple[str, str], ...]:
    """Fields to add to a response; ValueError where they or its reason would not stay in their lines."""
    checked = tuple(headers)
    for text in (reason, *(text for field in checked for text in field)):
        if any(character in text for character in "\r\n\0"):
            raise ValueError(f"a response may hold no CR, LF or NUL: {text!r}")
    return checked
