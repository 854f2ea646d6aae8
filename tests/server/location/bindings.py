"""Bindings and clocks for tests of the location service."""

from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.store import Store

ALICE = "sip:alice@example.com"
BOB = "sip:bob@example.com"


class Clocks:
    """A monotonic and a wall clock that stand still until told otherwise."""

    def __init__(self) -> None:
        self.now = 5_000.0
        self.wall = 1_800_000_000.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


class Answers(list[Exception | None]):
    """A callback that remembers what it was told."""

    def __call__(self, error: Exception | None) -> None:
        self.append(error)


def open_location(clocks: Clocks, store: Store | None = None, capacity: int = 100) -> Location:
    return Location(store, clock=lambda: clocks.now, wall=lambda: clocks.wall, capacity=capacity)


def binding(
    location: Location, aor: str = ALICE, contact: str = "sip:alice@192.0.2.1", *, q: float = 1.0, expires: int = 60, flow: str = ""
) -> Binding:
    at = location.clock() + expires
    return Binding(location.new_row(), aor, contact, ";+x=1", q, at, expires, "call-1", 7, "", "192.0.2.1", flow)


def rows(store: Store, column: str = "contact") -> list[object]:
    connection = store.connect()
    found = [value for (value,) in connection.execute(f"SELECT {column} FROM binding ORDER BY id")]
    connection.close()
    return found
