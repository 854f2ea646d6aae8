"""What one branch is sent to: a URI, and the way there where that is not the URI's own (RFC 3261 §16.5, RFC 3327, RFC 5626 §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from ringback.message.errors import SipParseError
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri
from ringback.server.location.binding import Binding

if TYPE_CHECKING:
    from ringback.address import Flow
    from ringback.message.message import Request, Response

Uri = SipUri | TelUri | AnyUri


class Destination(NamedTuple):
    """One target of a request."""

    uri: str
    """The Request-URI of the copy."""
    route: tuple[str, ...] = ()
    """Route values put above all others: the Path of a binding (RFC 3327 §5.4)."""
    flow: Flow | str | None = None
    """The way it is sent, instead of asking where Route or Request-URI lead: an open flow, or the text that names one."""
    alternatives: tuple[Destination, ...] = ()
    """Other ways to the same, each for when those before it failed: flows to a phone (430 or silence, RFC 5626 §7), trunks of a gateway."""
    fails_on: frozenset[int] = frozenset()
    """Final statuses after which an alternative is tried; none named: those that say there is no such flow or nobody there."""
    ended: Callable[[Response, bool, float], None] | None = None
    """Told the final response, one made up for a target that failed included, whether that was its first word, and when."""
    aor: str = ""
    """The address-of-record that it is a phone of, "" where it is a URI that somebody named."""
    has_gruu: bool = False
    """Whether it may answer from a GRUU of ours (RFC 5627 §6.2)."""

    @property
    def is_named(self) -> bool:
        """Whether nothing but its URI says where it is."""
        return not (self.aor or self.route or self.flow)


Target: TypeAlias = str | Uri | Binding | Destination


def destination(target: Target) -> Destination:
    """A target of a decision as a destination; a binding brings its Path and its flow."""
    if isinstance(target, Destination):
        return target
    if isinstance(target, Binding):
        route = target.route if target.path else ()
        return Destination(target.contact, route, target.flow or None, aor=target.aor, has_gruu=target.instance != "")
    return Destination(str(target))


def is_at_gruu(request: Request, destination: Destination) -> bool:
    """Whether a party is reached at a GRUU of ours: what is sent there passes here, and has to prove its dialog (RFC 5627 §6.2)."""
    contact = request.headers.line("contact")
    return destination.has_gruu or (contact is not None and ";gr" in contact)


Rank = TypeVar("Rank")


def q_of(target: Target) -> float:
    """The callee's preference for a target; 1 where nothing is said."""
    return getattr(target, "q", 1.0)


def by_phone(targets: Iterable[Target], rank: Callable[[Target], Rank]) -> list[tuple[Rank, Destination]]:
    """The destinations of targets, each with its rank.

    No URI stands twice (RFC 3261 §16.5), and bindings of one instance of one address-of-record are one destination, the latest
    registered first, with alternatives (RFC 5626 §7).
    """
    seen: list[Uri] = []
    found: list[tuple[Rank, Destination]] = []
    places: dict[tuple[str, str], int] = {}
    for target in _latest_first(targets):
        one = destination(target)
        instance = _instance_of(target)
        if instance is not None:
            place = places.setdefault(instance, len(found))
            if place < len(found):
                first, leader = found[place]
                found[place] = first, leader._replace(alternatives=(*leader.alternatives, one))
                continue
        elif _is_among(one.uri, seen):
            continue
        found.append((rank(target), one))
    return found


def _instance_of(target: Target) -> tuple[str, str] | None:
    """Which phone a binding is of, where it says so: address-of-record and instance."""
    instance = getattr(target, "instance", None)
    return (getattr(target, "aor", ""), instance) if instance else None


def _latest_first(targets: Iterable[Target]) -> list[Target]:
    """The targets in their order, but in the places of one instance its bindings by when they were registered, the latest first."""
    ordered = list(targets)
    places: dict[tuple[str, str], list[int]] = {}
    for index, target in enumerate(ordered):
        instance = _instance_of(target)
        if instance is not None:
            places.setdefault(instance, []).append(index)
    for indexes in places.values():
        if len(indexes) > 1:
            bindings = sorted((ordered[index] for index in indexes), key=_registered_at, reverse=True)
            for index, binding in zip(indexes, bindings, strict=True):
                ordered[index] = binding
    return ordered


def _registered_at(binding: Target) -> float:
    return binding.refreshed_at  # type: ignore[union-attr]  # only bindings have an instance


def _is_among(text: str, seen: list[Uri]) -> bool:
    """Whether a URI equal by RFC 3261 §19.1.4 was seen; adds it if not."""
    try:
        uri = parse_uri(text)
    except SipParseError:
        # Nobody's equal: its branch fails by itself, and does not keep the others from being tried.
        return False
    if any(uri.matches(other) for other in seen):
        return True
    seen.append(uri)
    return False
