"""Phones registered through an edge proxy that only it can reach: whose ways are to be kept open, and how long (RFC 5626 §5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr, Star
from ringback.message.message import Request, Response

if TYPE_CHECKING:
    from ringback.address import Flow

_HOUR = 3_600
_LOOK_EVERY = 1.0
# A choice: some 30 MB of names.
_MOST = 100_000


class _Phone(NamedTuple):
    contact: str
    until: float


class EdgePhones:
    """Flows that a registrar has accepted a REGISTER over, each with its Contact, until that expires."""

    def __init__(self, prove: Callable[[str, float], None]) -> None:
        """`prove(host, now)` is told the addresses of those who had the right password."""
        self.looked_after: Callable[[float], None] | None = None
        """Called with the time about once a second as long as there are any."""
        self._prove = prove
        self._next_look = 0.0
        self._phones: dict[str, _Phone] = {}

    def __len__(self) -> int:
        return len(self._phones)

    def __contains__(self, name: str) -> bool:
        return name in self._phones

    def answered(self, request: Request, flow: Flow, name: str, response: Response, now: float) -> None:
        """Takes what the registrar said to a REGISTER that came over the flow of this name."""
        if not 200 <= response.status < 300:
            return
        try:
            contacts = [contact for contact in request.contacts if isinstance(contact, NameAddr)]
            until = max((now + _granted(contact, request, response) for contact in contacts), default=now)
            removes_all = any(isinstance(contact, Star) for contact in request.contacts)
        except SipParseError:
            # That is between the phone and its registrar, and one of them has said it well enough.
            return
        if until > now and (name in self._phones or len(self._phones) < _MOST):
            self._phones[name] = _Phone(contacts[0].uri_text, until)
        elif contacts or removes_all:
            self._phones.pop(name, None)
        if "authorization" in request.headers.keys:
            self._prove(flow.host, now)

    def next_deadline(self) -> float | None:
        """When `advance` wants to be called next."""
        return self._next_look if self._phones else None

    def advance(self, now: float) -> None:
        """Lets those go whose time is over, and has the others looked after."""
        if not self._phones or now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY
        for name in [name for name, phone in self._phones.items() if phone.until <= now]:
            del self._phones[name]
        if self.looked_after is not None:
            self.looked_after(now)

    def flows(self) -> Sequence[str]:
        """The names of their flows."""
        return tuple(self._phones)

    def contact_over(self, flow: str) -> str:
        """The Contact that was registered over one of `flows()`."""
        return self._phones[flow].contact


def _granted(contact: NameAddr, request: Request, response: Response) -> int:
    """For how many seconds a Contact is bound: as the registrar says (§10.3 step 8), else as the phone has asked."""
    for bound in response.contacts:
        if isinstance(bound, NameAddr) and bound.uri_text == contact.uri_text and bound.expires is not None:
            return bound.expires
    wish = contact.expires if contact.expires is not None else request.expires
    return _HOUR if wish is None else wish
