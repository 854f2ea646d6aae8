"""Where a request shall go, said as a value (RFC 3261 §16.5): policy can be tested without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.status import REASONS
from ringback.message.uri import parse_uri
from ringback.server.proxy.destination import Destination, Target, Uri, by_phone, destination, q_of

CONDITIONS = {
    "busy": (486, 600),
    "no_answer": (408, 480),
    "unregistered": (430,),
    "any": (),
}
"""What `else_` may name beside statuses, and the statuses each stands for.

"unregistered" is above all that there was nowhere to send a request, "any" every failure but those that end everything.
"""

# The caller is asked who he is, is told another way, or gave up: no failure of the target.
_NO_FAILURE = (401, 407, 487)


class _Onward:
    """What the values that lead somewhere have in common: how they are tried, and what follows where that fails."""

    __slots__ = ("else_", "one_by_one", "recurse", "ring_for", "stateless")

    def __init__(self, one_by_one: bool, ring_for: float | None, else_: Else | None, recurse: bool | None, stateless: bool = False) -> None:
        if ring_for is not None and ring_for <= 0:
            raise ValueError(f"ring_for is seconds above 0, not {ring_for!r}")
        self.one_by_one = one_by_one
        self.ring_for = ring_for
        self.else_ = None if else_ is None else _checked_else(else_)
        self.recurse = recurse
        self.stateless = stateless

    def _options(self) -> str:
        """What was said beside the targets, as it was written."""
        said = []
        if self.one_by_one:
            said.append(", one_by_one=True")
        if self.stateless:
            said.append(", stateless=True")
        for name in ("ring_for", "else_", "recurse"):
            value = getattr(self, name)
            if value is not None:
                said.append(f", {name}={value!r}")
        return "".join(said)


class Forward(_Onward):
    """Forward to these targets.

    A target is a URI, as text or typed, a `Binding` of the location service, or a `Destination`. They are tried all at once, bindings of a
    lower q after those of a higher (§16.6); `one_by_one` tries each alone, in the order given. `ring_for` bounds each such step in seconds.

    `else_` is what follows when all of them failed: a decision, or a mapping from a status or one of `CONDITIONS` to one. A 6xx ends
    everything unless its status is in the mapping. `recurse` says whether a 3xx is followed; None leaves that to the configuration.

    `stateless` forwards to the first target alone and keeps nothing (§16.11); all else is then without meaning. Its CANCEL and its ACK
    must be decided alike, so the decision may rest on Request-URI, From, To and Call-ID only: `route` is asked again for each of them.

    `diverted` names those who arranged that the call goes here, the latest first, each a URI and a reason of RFC 5806 such as
    "unconditional": whoever comes next is told, where Diversion is configured. That somebody failed before is told by itself.
    """

    __slots__ = ("diverted", "targets")

    def __init__(
        self,
        *targets: Target,
        one_by_one: bool = False,
        ring_for: float | None = None,
        else_: Else | None = None,
        recurse: bool | None = None,
        stateless: bool = False,
        diverted: Sequence[tuple[str, str]] = (),
    ) -> None:
        if not targets:
            raise ValueError("Forward needs a target; to refuse a request return Reject(480)")
        super().__init__(one_by_one, ring_for, else_, recurse, stateless)
        self.targets = targets
        self.diverted = tuple(diverted)

    def steps(self) -> list[list[Destination]]:
        """Where to: lists of those tried at once, in order; no URI stands twice (§16.5)."""
        if len(self.targets) == 1:
            return [[destination(self.targets[0])]]
        found = by_phone(self.targets, q_of)
        if self.one_by_one:
            return [[one] for _, one in found]
        ranked: dict[float, list[Destination]] = {}
        for q, one in found:
            ranked.setdefault(-q, []).append(one)
        return [ranked[rank] for rank in sorted(ranked)]

    def __repr__(self) -> str:
        return f"Forward({', '.join(destination(target).uri for target in self.targets)}{self._options()})"


class Location(_Onward):
    """Forward to the bindings of an address-of-record: of `uri`, or of the Request-URI where none is given."""

    __slots__ = ("uri",)

    def __init__(
        self,
        uri: str | Uri | None = None,
        *,
        one_by_one: bool = False,
        ring_for: float | None = None,
        else_: Else | None = None,
        recurse: bool | None = None,
        stateless: bool = False,
    ) -> None:
        super().__init__(one_by_one, ring_for, else_, recurse, stateless)
        self.uri = None if uri is None else str(uri)
        if self.uri is not None:
            try:
                parse_uri(self.uri)
            except SipParseError as error:
                raise ValueError(f"Location takes the URI of a user, not {self.uri!r}: {error.reason}") from None

    def __repr__(self) -> str:
        return f"Location({self.uri or ''}{self._options()})"


class Gateway(_Onward):
    """Forward to the group of trunks that the configuration has under this name.

    `user` is whom they shall call, the user or number of the Request-URI where None; `diverted` as with `Forward`.
    """

    __slots__ = ("diverted", "name", "user")

    def __init__(
        self,
        name: str,
        *,
        user: str | None = None,
        ring_for: float | None = None,
        else_: Else | None = None,
        recurse: bool | None = None,
        stateless: bool = False,
        diverted: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(False, ring_for, else_, recurse, stateless)
        self.name = name
        self.user = user
        self.diverted = tuple(diverted)

    def __repr__(self) -> str:
        user = "" if self.user is None else f", user={self.user!r}"
        return f"Gateway({self.name!r}{user}{self._options()})"


class Redirect:
    """Answer 3xx with these URIs as Contacts, the best first (§8.3, §21.3).

    A contact is a URI, as text or typed, or a `NameAddr`, which may bear `q` and `expires`. 300 offers a choice, 301 says for good, 302
    for now, 305 by way of; 380 needs no contact: what else there is stands in the `body`.
    """

    __slots__ = ("addresses", "body", "content_type", "headers", "reason", "status")

    def __init__(self, *contacts: str | Uri | NameAddr, status: int = 302, body: bytes = b"", content_type: str = "text/plain") -> None:
        if not (contacts or body) or not 300 <= status <= 399:
            raise ValueError("Redirect needs a contact, or a body, and a status of 3xx")
        self.addresses = tuple(one if isinstance(one, NameAddr) else NameAddr(one) for one in contacts)
        self.status = status
        self.body = body
        self.content_type = content_type
        self.reason = REASONS.get(status, "Redirected")
        fields = [("Contact", str(address)) for address in self.addresses]
        self.headers = _checked([*fields, ("Content-Type", content_type)] if body else fields, self.reason)

    @property
    def contacts(self) -> tuple[str, ...]:
        """The URIs."""
        return tuple(address.uri_text for address in self.addresses)

    def away_from(self, uri: str) -> Redirect | Reject:
        """The same without what only leads back to a Request-URI (§8.3), 404 where that is all."""
        asked = parse_uri(uri)
        kept = [address for address in self.addresses if not _is_same(address, asked)]
        if len(kept) == len(self.addresses):
            return self
        if not (kept or self.body):
            return Reject(404)
        return Redirect(*kept, status=self.status, body=self.body, content_type=self.content_type)

    def __repr__(self) -> str:
        return f"Redirect({', '.join((*self.contacts, f'status={self.status}'))})"


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


class First:
    """Decisions in order, as `first` makes them."""

    __slots__ = ("decisions",)

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        self.decisions = decisions

    def __repr__(self) -> str:
        return f"first({', '.join(map(repr, self.decisions))})"


Decision = Forward | Location | Gateway | First | Redirect | Reject
Else = Decision | Mapping[int | str, Decision]


def first(*decisions: Decision) -> First:
    """Each decision in turn, until one reaches somebody.

    The next is followed where the one before it found nobody, or where nobody answered there but servers: 404, 408, 410, 430, 480 and 5xx.
    """
    if not decisions:
        raise ValueError("first needs a decision")
    for decision in decisions:
        _checked_decision(decision, "first")
    return First(decisions)


def following(else_: Else | None, status: int, *, found_nobody: bool = False) -> Decision | None:
    """The decision that `else_` has for a final response of this status, None where it has none.

    `found_nobody`: the status is our own, as there was nowhere to send the request.
    """
    if else_ is None:
        return None
    is_failure = 400 <= status < 600 and status not in _NO_FAILURE
    if not isinstance(else_, Mapping):
        return else_ if is_failure else None
    found = else_.get("unregistered") if found_nobody else None
    if found is None:
        found = else_.get(status)
    if found is None:
        for condition, statuses in CONDITIONS.items():
            if status in statuses and condition in else_ and not found_nobody:
                return else_[condition]
        if is_failure:
            found = else_.get("any")
    return found


def reached_nobody(status: int) -> bool:
    """Whether a final response says that there was nobody to answer, so that `first` goes on."""
    return status in (404, 408, 410, 430, 480) or 500 <= status < 600


def _checked_else(else_: Else) -> Else:
    """What may follow a failure; ValueError that says what else a mapping may hold."""
    if isinstance(else_, Mapping):
        for key, decision in else_.items():
            if key not in CONDITIONS and not (isinstance(key, int) and 300 <= key <= 699):
                raise ValueError(f"else_ takes statuses from 300 to 699 and {', '.join(CONDITIONS)}, not {key!r}")
            _checked_decision(decision, "else_")
        return dict(else_)
    _checked_decision(else_, "else_")
    return else_


def _checked_decision(decision: object, where: str) -> None:
    if not isinstance(decision, Decision):
        raise TypeError(f"{where} takes decisions such as Forward(…) or Reject(…), not {decision!r}")


def _is_same(address: NameAddr, uri: Uri) -> bool:
    try:
        return address.uri.matches(uri)
    except SipParseError:
        return False


def _checked(headers: Iterable[tuple[str, str]], reason: str) -> tuple[tuple[str, str], ...]:
    """Fields to add to a response; ValueError where they or its reason would not stay in their lines."""
    checked = tuple(headers)
    for text in (reason, *(text for field in checked for text in field)):
        if any(character in text for character in "\r\n\0"):
            raise ValueError(f"a response may hold no CR, LF or NUL: {text!r}")
    return checked
