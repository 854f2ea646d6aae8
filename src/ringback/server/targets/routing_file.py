"""The operator's own routing function: a Python file with `route(request)` (RFC 3261 §16.5).

The file finds `Forward`, `Location`, `Gateway`, `first`, `Redirect`, `Reject` and `location` ready. `route` may be `async def`; it returns
a decision, or None for what the server would do by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.operator_file import OperatorFileError, run
from ringback.server.proxy.routing import Decision, Forward, Gateway, Redirect, Reject, first
from ringback.server.proxy.routing import Location as LocationOf

if TYPE_CHECKING:
    from ringback.server.domains import Domains
    from ringback.server.gruus import Gruus
    from ringback.server.location.binding import Binding
    from ringback.server.location.location import Location

Route = Callable[[Request], "Decision | Awaitable[Decision | None] | None"]


class Lookup:
    """The location service as a routing file sees it."""

    def __init__(self, location: Location, domains: Domains, gruus: Gruus) -> None:
        self._location = location
        self._domains = domains
        self._gruus = gruus

    def lookup(self, uri: SipUri | str) -> Sequence[Binding]:
        """The bindings of a user of ours, highest q first, or those of the one phone that a GRUU names; none where there is none."""
        place = self._domains.place(str(uri))
        if place.gr is not None:
            return self._gruus.bound(place, self._location.lookup) or ()
        return () if place.aor is None else self._location.lookup(place.aor)


def load_route(path: Path, lookup: Lookup) -> Route:
    """Runs the file and gives its `route`. Raises `OperatorFileError` that names file and line."""
    names: dict[str, Any] = {
        "__name__": "routes",
        "Forward": Forward,
        "Gateway": Gateway,
        "Location": LocationOf,
        "Redirect": Redirect,
        "Reject": Reject,
        "first": first,
        "location": lookup,
    }
    run(path, names)
    route = names.get("route")
    if not callable(route) or len(inspect.signature(route).parameters) != 1:
        raise OperatorFileError(f"{path}: needs a function route(request)")
    return route  # type: ignore[no-any-return]  # what it returns is checked each time


def checked(result: object) -> Decision | None:
    """What a route function returned, if that is a decision; TypeError otherwise."""
    if result is None or isinstance(result, Decision):
        return result
    raise TypeError(f"route() must return Forward, Location, Gateway, first(…), Redirect, Reject or None, not {type(result).__name__}")
