"""What a caller wants of the callee's devices and of the proxies on the way (RFC 3841 §7, §9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ringback.message.errors import SipParseError
from ringback.message.feature_predicate import Filter, Predicate, is_match, predicate_of, score
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower, parse_params
from ringback.message.message import Request
from ringback.server.proxy.destination import Destination, Target, by_phone, q_of
from ringback.server.proxy.routing import Redirect, Reject

EXPLICIT = frozenset(("accept-contact", "reject-contact"))
"""Fields with which a caller says what he wants of a device."""


class Disposition:
    """How the caller wants a request handled on its way, None where he does not say (RFC 3841 §9.1)."""

    __slots__ = ("cancels", "forks", "is_parallel", "recurses", "redirects")

    def __init__(self, directives: Sequence[str] = ()) -> None:
        """Of two directives of one kind the first counts; unknown ones mean nothing."""
        said: dict[str, bool] = {}
        for directive in directives:
            kind, is_so = _DIRECTIVES.get(ascii_lower(directive), ("", False))
            said.setdefault(kind, is_so)
        self.redirects = said.get("redirect", False)
        self.cancels = said.get("cancel", True)
        self.forks = said.get("fork", True)
        self.recurses: bool | None = said.get("recurse")
        self.is_parallel: bool | None = said.get("parallel")

    @classmethod
    def of(cls, request: Request) -> Disposition:
        """What a request says; raises SipParseError where that cannot be read."""
        return cls(request.headers.values("Request-Disposition")) if "request-disposition" in request.headers.keys else _NOTHING_SAID

    def steps(self, steps: list[list[Destination]]) -> list[list[Destination]]:
        """The steps of a decision as the caller wants them."""
        if not self.forks:
            return [steps[0][:1]]
        if self.is_parallel is None:
            return steps
        everybody = [one for step in steps for one in step]
        return [everybody] if self.is_parallel else [[one] for one in everybody]


_DIRECTIVES = {
    "proxy": ("redirect", False),
    "redirect": ("redirect", True),
    "cancel": ("cancel", True),
    "no-cancel": ("cancel", False),
    "fork": ("fork", True),
    "no-fork": ("fork", False),
    "recurse": ("recurse", True),
    "no-recurse": ("recurse", False),
    "parallel": ("parallel", True),
    "sequential": ("parallel", False),
}
_NOTHING_SAID = Disposition()


class _Wish:
    """The predicate of one Accept-Contact value, and how much of it has to hold."""

    __slots__ = ("is_explicit", "is_required", "predicate")

    def __init__(self, predicate: Predicate, *, is_required: bool, is_explicit: bool) -> None:
        self.predicate = predicate
        self.is_required = is_required
        self.is_explicit = is_explicit


class Preferences:
    """What one request asks of the devices it may go to."""

    __slots__ = ("_accepted", "_is_implicit", "_rejected")

    def __init__(self, request: Request) -> None:
        """From its fields, or else from what it is itself (RFC 3841 §7.2.1, §7.2.2); raises SipParseError where they cannot be read."""
        headers = request.headers
        self._is_implicit = EXPLICIT.isdisjoint(headers.keys)
        if self._is_implicit:
            self._rejected: list[Predicate] = []
            self._accepted = [_Wish(_implied(request), is_required=True, is_explicit=False)]
        else:
            self._rejected = [predicate_of(value.params) for value in headers.values("Reject-Contact")]
            self._accepted = [
                _Wish(predicate_of(value.params), is_required=value.is_required, is_explicit=value.is_explicit)
                for value in headers.values("Accept-Contact")
            ]

    def preference(self, offered: Predicate) -> float | None:
        """The caller's preference for a device, Qa, from 0 to 1; None for one that is not to be called (RFC 3841 §7.2.4)."""
        if not offered:
            return 1.0
        for rejected in self._rejected:
            if all(tag in offered for tag in rejected) and is_match(rejected, offered):
                return None
        scores = []
        for wish in self._accepted:
            if not is_match(wish.predicate, offered):
                if wish.is_required:
                    return None
                continue
            found = score(wish.predicate, offered)
            if found < 1 and wish.is_explicit:
                if wish.is_required:
                    return None
                found = 0.0
            scores.append(found)
        return sum(scores) / len(scores) if scores else 0.0

    def ranks(self, targets: Sequence[Target]) -> dict[int, tuple[float, float]]:
        """The rank of each target that may be called, by its identity: q, then the caller's preference; the callee comes first."""
        found = {}
        for target in targets:
            preference = self.preference(_offered(target))
            if preference is not None:
                found[id(target)] = (q_of(target), preference)
        if not found and self._is_implicit:
            # Nobody can do it: let them say so themselves (405, 489).
            return {id(target): (q_of(target), 1.0) for target in targets}
        return found

    def steps(self, targets: Sequence[Target], *, one_by_one: bool) -> list[list[Destination]]:
        """Where to: the steps of a decision, those that the caller prefers before others of the same q; none where nobody is left."""
        ranks = self.ranks(targets)
        found = by_phone([target for target in targets if id(target) in ranks], rank=lambda target: ranks[id(target)])
        if one_by_one:
            return [[one] for _, one in found]
        groups: dict[tuple[float, float], list[Destination]] = {}
        for rank, one in found:
            groups.setdefault(rank, []).append(one)
        return [groups[rank] for rank in sorted(groups, reverse=True)]


def redirection(steps: list[list[Destination]]) -> Redirect | Reject:
    """The steps for the caller to try himself, without the features of the devices (RFC 3841 §7.2.4).

    Nobody else reaches a phone that is behind a flow or a Path of ours.
    """
    ranked = [(one, max(1 - rank / 100, 0)) for rank, step in enumerate(steps) for one in step if not (one.route or one.flow)]
    return Redirect(*[NameAddr(one.uri, params={"q": f"{q:.3g}"}) for one, q in ranked]) if ranked else Reject(480)


def has_implied(targets: Sequence[Target]) -> bool:
    """Whether what a request is can make a difference: some device says which methods or events it knows."""
    return any("methods" in params or "events" in params for params in [getattr(target, "params", "") for target in targets])


def _implied(request: Request) -> Predicate:
    predicate: Predicate = {"sip.methods": (Filter(ascii_lower(request.method)),)}
    if request.method == "SUBSCRIBE" and "event" in request.headers.keys:
        predicate["sip.events"] = (Filter(ascii_lower(request.headers.value("Event").value)),)
    return predicate


def _offered(target: Target) -> Predicate:
    params = getattr(target, "params", "")
    return _capabilities(params) if params else {}


@lru_cache(maxsize=1024)
def _capabilities(params: str) -> Predicate:
    """What a Contact's parameters say of the device behind it (RFC 3840)."""
    try:
        return predicate_of(parse_params(params))
    except SipParseError:
        # It was registered, so it is only that nothing can be known of it.
        return {}
