"""The hash algorithms of Digest and what both sides compute with them (RFC 7616 §3.3, §3.4, §6.1, RFC 8760 §2.1, §2.2)."""

import hashlib
import unicodedata
from collections.abc import Callable, Collection
from typing import Final

Hash = Callable[[bytes], str]
"""The digest of octets in lower-case hexadecimal digits."""


class Algorithm:
    """One value of the `algorithm` parameter.

    `name` is as registered ("SHA-256-sess"), `base` the name without "-sess": a stored HA1 belongs to the base. `digits` is the length of
    a digest in hexadecimal digits, `strength` orders the bases.
    """

    __slots__ = ("base", "digits", "hash", "is_session", "name", "strength")

    def __init__(self, name: str, digest: Hash, digits: int, strength: int) -> None:
        self.name = name
        self.base = name.removesuffix("-sess")
        self.is_session = name != self.base
        self.hash = digest
        self.digits = digits
        self.strength = strength

    def __repr__(self) -> str:
        return f"<Algorithm {self.name}>"


def _md5(data: bytes) -> str:
    # What an interpreter in FIPS mode refuses is MD5 as security; here it is what an old peer has (RFC 8760 §3).
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha_256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha_512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


def algorithms(available: Collection[str]) -> dict[str, Algorithm]:
    """The algorithms by lower-case name; SHA-512-256 only where the interpreter's library has it (`available`)."""
    bases: list[tuple[str, Hash, int, int]] = [("MD5", _md5, 32, 0), ("SHA-256", _sha_256, 64, 1)]
    if "sha512_256" in available:
        bases.append(("SHA-512-256", _sha_512_256, 64, 2))
    table = {}
    for name, digest, digits, strength in bases:
        table[name.lower()] = Algorithm(name, digest, digits, strength)
        table[f"{name.lower()}-sess"] = Algorithm(f"{name}-sess", digest, digits, strength)
    return table


ALGORITHMS: Final = algorithms(hashlib.algorithms_available)
"""Every algorithm of the registry by its lower-case name, "-sess" forms included."""


def octets(text: str) -> bytes:
    """`text` as it stood on the wire."""
    return text.encode("utf-8", "surrogateescape")


def normal(text: str) -> str:
    """`text` as both sides hash it: Unicode Normalization Form C (RFC 7616 §4)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(user ":" realm ":" password): all a server or a client need to keep (RFC 7616 §3.4.2, §5.2).

    User and password are normalised (§4). ValueError for an unknown algorithm and for a user with a colon, which no A1 can hold; a "-sess"
    name gives its base's.
    """
    found = ALGORITHMS.get(algorithm.lower())
    if found is None:
        raise ValueError(f"unknown digest algorithm: {algorithm!r}")
    if ":" in user:
        raise ValueError(f"a user of Digest may hold no colon: {user!r}")
    return found.hash(octets(f"{normal(user)}:{realm}:{normal(password)}"))


def user_hash(user: str, realm: str, algorithm: Algorithm) -> str:
    """What stands for the user's name where the server asks for `userhash` (RFC 7616 §3.4.4)."""
    return algorithm.hash(octets(f"{user}:{realm}"))


def session_key(algorithm: Algorithm, key: str, nonce: str, cnonce: str) -> str:
    """H(A1) of the "-sess" form: an HA1, the challenge's nonce and the client's in its first answer (RFC 7616 §3.4.2)."""
    return algorithm.hash(octets(f"{key}:{nonce}:{cnonce}"))


def request_digest(
    algorithm: Algorithm, key: str, nonce: str, nc: str, cnonce: str, qop: str | None, method: str, uri: str, body: bytes
) -> str:
    """`response` of a request, and `rspauth` of a response where `method` is empty (RFC 7616 §3.4.1, §3.4.3, §3.5).

    `key` is H(A1); quoted values come without quotes. Without `qop` it is what RFC 2069 computes (RFC 2617 §3.2.2.1), and `nc` and `cnonce`
    do not count.
    """
    digest = algorithm.hash
    a2 = f"{method}:{uri}" if qop != "auth-int" else f"{method}:{uri}:{digest(body)}"
    ha2 = digest(octets(a2))
    if qop is None:
        return digest(octets(f"{key}:{nonce}:{ha2}"))
    return digest(octets(f"{key}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"))
