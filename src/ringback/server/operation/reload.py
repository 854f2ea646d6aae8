"""Reading again: which keys of the configuration can change while the server runs, and which have."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ringback.server.config import Config

CHANGEABLE = frozenset(
    (
        "domains",
        "domain",
        "gateway",
        "routing",
        "aliases",
        "route",
        "access",
        "registrar",
        "relay",
        "dns",
        "drain",
        "log",
        "websocket",
        "proxy",
        "tls",
        "limits.transactions",
        "limits.half_open_per_source",
    )
)
"""Tables, and keys of other tables. What is not among them waits for a restart: sockets, the store, clocks that run."""

# Of those tables: who is let in unproven, with whom dialogs may then be, has to be one thing from a dialog's begin to its end; a group is
# listened to from the start; timers of one length stand in the order they fall due.
EXCEPTED = frozenset(
    ("access.accept_strangers", "registrar.foreign_contacts", "registrar.multicast", "proxy.timer_c", "proxy.failover_after")
)


class Reloaded(NamedTuple):
    """What became of it: keys that hold from now on, keys that would need a restart; or why all stayed as it was."""

    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    fault: str | None = None


def merged(old: Config, new: Config) -> tuple[Config, Reloaded]:
    """The configuration to be in force: the new one where that can be, else the old one."""
    changed: list[str] = []
    needs_restart: list[str] = []
    values: dict[str, Any] = {}
    for name in Config.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Struct):
            keys = {
                key: getattr(after, key)
                for key in before.__struct_fields__
                if getattr(before, key) != getattr(after, key)
                and _note(f"{name}.{key}", _can_change(name, f"{name}.{key}"), changed, needs_restart)
            }
            if keys:
                values[name] = msgspec.structs.replace(before, **keys)
        elif before != after and _note(name, name in CHANGEABLE, changed, needs_restart):
            values[name] = after
    return msgspec.structs.replace(old, **values), Reloaded(tuple(changed), tuple(needs_restart))


def _can_change(table: str, key: str) -> bool:
    return key in CHANGEABLE or (table in CHANGEABLE and key not in EXCEPTED)


def _note(name: str, is_changeable: bool, changed: list[str], needs_restart: list[str]) -> bool:
    (changed if is_changeable else needs_restart).append(name)
    return is_changeable
