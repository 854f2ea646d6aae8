"""Whose password a user agent knows, and to whom it may prove that (RFC 3261 §22.2, §22.3, RFC 7616 §5.2)."""

import re
from collections.abc import Iterable, Mapping

from ringback.digest.algorithm import ALGORITHMS, Algorithm, ha1, normal
from ringback.message.grammar import ascii_lower

_is_hex = re.compile(r"[0-9a-f]++").fullmatch
_BASES = [algorithm for algorithm in ALGORITHMS.values() if not algorithm.is_session]


def home_of(host: str) -> str:
    """A host's name or address as homes are compared: lower case, no brackets, no final dot."""
    return ascii_lower(host).strip("[]").rstrip(".")


class Account:
    """A user of one realm: its name and its HA1 by algorithm.

    The password is kept only until the realm is known. `homes` are the hosts that may ask for it: registrar and outbound proxies, by domain
    and by address.
    """

    __slots__ = ("_ha1s", "_minimum", "_password", "homes", "realm", "user")

    def __init__(
        self,
        user: str,
        password: str | None = None,
        realm: str | None = None,
        ha1s: Mapping[str, str] | None = None,
        homes: Iterable[str] = (),
        minimum: str = "MD5",
    ) -> None:
        """Either a password or, with a realm, `ha1s`: HA1 by name of algorithm.

        Without a realm the account takes the first that one of its homes shows. A challenge with a weaker algorithm than `minimum` is not
        answered (RFC 8760 §3). ValueError for what cannot be computed or sent.
        """
        if ":" in user or "\r" in user or "\n" in user or "\0" in user:
            raise ValueError(f"a user of Digest may hold no colon, CR, LF or NUL: {user!r}")
        if (password is None) is (ha1s is None):
            raise ValueError("an account has a password or HA1s")
        if ha1s is not None and realm is None:
            raise ValueError("an HA1 holds for one realm, which must be named")
        weakest = ALGORITHMS.get(ascii_lower(minimum))
        if weakest is None:
            raise ValueError(f"unknown digest algorithm: {minimum!r}")
        self.user = normal(user)
        self.realm = realm
        self.homes = frozenset(map(home_of, homes))
        self._minimum = weakest.strength
        self._password = password
        self._ha1s: dict[str, str] = {}
        for name, value in (ha1s or {}).items():
            base, value = _checked(name, value)
            self._ha1s[base] = value
        if realm is not None:
            self.bind(realm)

    def bind(self, realm: str) -> None:
        """Takes a realm for good: the HA1s of the password replace it."""
        self.realm = realm
        if self._password is not None:
            self._ha1s = {one.base: ha1(self.user, realm, self._password, one.base) for one in _BASES}
            self._password = None

    def can_use(self, algorithm: Algorithm) -> bool:
        """Whether a challenge with this algorithm may and can be answered."""
        return algorithm.strength >= self._minimum and (self.realm is None or algorithm.base in self._ha1s)

    def ha1(self, algorithm: Algorithm) -> str:
        """H(user ":" realm ":" password); KeyError where `can_use` denies it or no realm is known yet."""
        return self._ha1s[algorithm.base]

    def __repr__(self) -> str:
        return f"<Account {self.user!r} realm={self.realm!r}>"


def _checked(name: str, value: str) -> tuple[str, str]:
    algorithm, value = ALGORITHMS.get(ascii_lower(name)), ascii_lower(value)
    if algorithm is None or algorithm.is_session:
        raise ValueError(f"unknown digest algorithm: {name!r}")
    if len(value) != algorithm.digits or _is_hex(value) is None:
        raise ValueError(f"an HA1 of {algorithm.name} has {algorithm.digits} hexadecimal digits")
    return algorithm.base, value
