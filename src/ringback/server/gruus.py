"""GRUUs: URIs that lead to one user agent of an address-of-record wherever they are used (RFC 5627).

A public one is the address-of-record with the instance in its `gr` parameter. A temporary one tells nobody whose it is: its user part is
the user, hidden by a key of the store, and a keyed digest over the user agent and its era. So neither is kept anywhere: when all temporary
GRUUs of a user agent end, its bindings enter a new era, and no digest holds any more.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import shake_256
from typing import TYPE_CHECKING

from ringback.message.grammar import quote
from ringback.message.uri import SipUri
from ringback.server.outbound.instance import urn

if TYPE_CHECKING:
    from ringback.server.domains import Place
    from ringback.server.location.binding import Binding

_BEGINNING = "tgruu."
# 64 bits of chance let some 2^32 be made before two of one user are alike; the digest is cut as RFC 2104 §5 allows and RFC 5627 A.2 does.
_CHANCE_BYTES = 8
_DIGEST_BYTES = 10
# Short names look alike in length.
_BLOCK = 12
# What a temporary GRUU may hold; a longer user part is nobody's.
_MOST_CHARACTERS = 512


class Gruus:
    """Makes GRUUs, and says which bindings one leads to."""

    def __init__(self, key: bytes, chance: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """`key` is a secret of the store: temporary GRUUs outlive a restart as registrations do. `chance` gives so many random octets."""
        self._key = key
        self._chance = chance
        self.knows: Callable[[str, str], bool] = lambda user, domain: True
        """Whether there is such a user of such a domain: with the user all of a user's GRUUs end (§5.4)."""

    def params(self, aor: SipUri, binding: Binding, temporary: dict[str, str]) -> str:
        """What the 200 of a REGISTER adds to a Contact with an instance (§5.2): `aor` is the URI in its To.

        `temporary` holds the temporary GRUUs already made for this answer, by instance.
        """
        beginning = SipUri(aor.host, user=aor.user, port=aor.port, scheme=aor.scheme)
        instance = binding.instance
        if instance not in temporary:
            temporary[instance] = self._temporary(beginning, binding)
        beginning.params["gr"] = SipUri("x", params={"gr": instance}).params["gr"]
        return f";pub-gruu={quote(str(beginning))};temp-gruu={quote(temporary[instance])}"

    def _temporary(self, aor: SipUri, binding: Binding) -> str:
        chance = self._chance(_CHANCE_BYTES)
        user = _user_of(binding.aor).encode("utf-8", "surrogateescape")
        padded = user + bytes(-len(user) % _BLOCK)
        octets = chance + self._hidden(chance, padded) + self._digest(chance, binding)
        text = urlsafe_b64encode(octets).decode().rstrip("=")
        return str(SipUri(aor.host, user=f"{_BEGINNING}{text}", port=aor.port, scheme=aor.scheme, params={"gr": None}))

    def _hidden(self, chance: bytes, text: bytes) -> bytes:
        """Hides, and shows again what is hidden."""
        mask = shake_256(b"user" + self._key + chance).digest(len(text))
        return (int.from_bytes(mask) ^ int.from_bytes(text)).to_bytes(len(text))

    def _digest(self, chance: bytes, binding: Binding) -> bytes:
        text = f"{binding.era}\n{binding.aor}\n{binding.instance}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, b"gruu" + chance + text, "sha256")[:_DIGEST_BYTES]

    def aor_of(self, place: Place) -> str | None:
        """The address-of-record of a GRUU, which may be forged or over; None where a URI is none, or of no user."""
        if place.gr is None or place.aor is None:
            return None
        if place.gr:
            return place.aor
        opened = self._opened(place)
        return None if opened is None else opened[0]

    def _opened(self, place: Place) -> tuple[str, bytes, bytes] | None:
        """Address-of-record, chance and digest of a temporary GRUU."""
        text = (place.user or "").removeprefix(_BEGINNING)
        if text == place.user or len(text) > _MOST_CHARACTERS or not text.isascii():
            return None
        try:
            octets = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        chance, hidden, digest = octets[:_CHANCE_BYTES], octets[_CHANCE_BYTES:-_DIGEST_BYTES], octets[-_DIGEST_BYTES:]
        if not hidden:
            return None
        user = self._hidden(chance, hidden).rstrip(b"\0").decode("utf-8", "surrogateescape")
        return f"sip:{user}@{place.domain}", chance, digest

    def bound(self, place: Place, lookup: Callable[[str], Sequence[Binding]]) -> Sequence[Binding] | None:
        """The bindings a GRUU leads to (§6.1), given the way to look up those of an address-of-record.

        None where the URI is no GRUU of ours that is good now; none at all where a public one's user agent is not registered.
        """
        if place.gr is None or place.aor is None:
            return None
        if place.gr:
            instance = urn(place.gr)
            if not instance.startswith("urn:") or not self.knows(place.user or "", place.domain or ""):
                return None
            return [binding for binding in lookup(place.aor) if binding.instance == instance]
        opened = self._opened(place)
        if opened is None:
            return None
        aor, chance, digest = opened
        if not self.knows(_user_of(aor), place.domain or ""):
            return None
        bindings = [binding for binding in lookup(aor) if binding.instance]
        for binding in bindings:
            if hmac.compare_digest(self._digest(chance, binding), digest):
                return [other for other in bindings if other.instance == binding.instance]
        return None


def _user_of(aor: str) -> str:
    return aor[len("sip:") : aor.rindex("@")]
