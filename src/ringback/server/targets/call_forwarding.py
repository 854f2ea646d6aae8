"""Where the calls of a user go instead (RFC 5359 §2.7 to §2.9): a table of the store, and the copy of it in memory."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri
from ringback.server.store import Store, store_error
from ringback.server.users import CHANGED, UserError

CONDITIONS = ("always", "busy", "no_answer", "unregistered")
"""When calls are forwarded: all of them; when the user is busy; when nobody answers in time; when no phone is registered."""

RING_FOR = (1, 3600)
"""The fewest and the most seconds a phone may ring before nobody has answered."""

_SET = "INSERT OR REPLACE INTO forwarding (domain, name, condition, target, ring_for) VALUES (?, ?, ?, ?, ?)"
_CLEAR = "DELETE FROM forwarding WHERE domain = ? AND name = ?"


class Forwarding(NamedTuple):
    """The targets of one user's calls, None where they are not forwarded; `ring_for`: seconds until nobody has answered."""

    always: str | None = None
    busy: str | None = None
    no_answer: str | None = None
    unregistered: str | None = None
    ring_for: float | None = None


def checked_target(text: str, name: str, domain: str) -> str:
    """A target of a user's calls as it is kept: a sip, sips or tel URI; `sip:` may be left out, and the user's own domain. `UserError`."""
    uri_text = text if ":" in text.partition("@")[0] else f"sip:{text}" if "@" in text else f"sip:{text}@{domain}"
    try:
        uri = parse_uri(uri_text)
    except SipParseError:
        uri = None
    if uri is None or uri.scheme not in ("sip", "sips", "tel") or (isinstance(uri, SipUri) and uri.headers_text):
        raise UserError(f"calls cannot be forwarded to {ascii(text)[:60]}: allowed are such as sip:bob@example.org or tel:+4930123456")
    if isinstance(uri, SipUri) and (uri.user, uri.host.lower()) == (name, domain) and "gr" not in uri.params:
        raise UserError(f"calls for {name}@{domain} would only come back to {name}@{domain}")
    return uri_text


class ForwardingTable:
    """The forwarding of every user in the store, for whoever changes it: raises `UserError` or `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def forward(self, name: str, domain: str, condition: str, target: str, ring_for: float | None = None) -> None:
        """Forwards a user's calls under one of `CONDITIONS`; `ring_for` is for "no_answer" and needed there."""
        target = checked_target(target, name, domain)
        if condition == "no_answer" and (ring_for is None or not RING_FOR[0] <= ring_for <= RING_FOR[1]):
            raise UserError(f"a phone may ring from {RING_FOR[0]} to {RING_FOR[1]} seconds before nobody has answered")
        self._check(name, domain)
        seconds = ring_for if condition == "no_answer" else None
        self._store.change((_SET, (domain, name, condition, target, seconds)), CHANGED)

    def clear(self, name: str, domain: str, condition: str | None = None) -> None:
        """Forwards a user's calls no more under this condition; None: under none."""
        self._check(name, domain)
        if condition is None:
            self._store.change((_CLEAR, (domain, name)), CHANGED)
        else:
            self._store.change((f"{_CLEAR} AND condition = ?", (domain, name, condition)), CHANGED)

    def of(self, name: str, domain: str) -> Forwarding:
        """What holds for a user."""
        self._check(name, domain)
        return read(self._store).get(f"sip:{name}@{domain}", Forwarding())

    def _check(self, name: str, domain: str) -> None:
        try:
            found = self._store.connection.execute("SELECT 1 FROM user WHERE name = ? AND domain = ?", (name, domain)).fetchone()
        except sqlite3.Error as error:
            raise store_error(error, self._store.path) from error
        if found is None:
            raise UserError(f"there is no user {name}@{domain}")


def read(store: Store) -> dict[str, Forwarding]:
    """What holds for every user with any forwarding, by address-of-record; raises `StoreError`."""
    found: dict[str, Forwarding] = {}
    try:
        rows = store.connection.execute("SELECT domain, name, condition, target, ring_for FROM forwarding").fetchall()
    except sqlite3.Error as error:
        raise store_error(error, store.path) from error
    for domain, name, condition, target, ring_for in rows:
        aor = f"sip:{name}@{domain}"
        said = found.get(aor, Forwarding())._replace(**{condition: target})
        found[aor] = said if ring_for is None else said._replace(ring_for=ring_for)
    return found
