"""A cipher and its keys for SRTP, sent within the description: a=crypto (RFC 4568 §4, §6, §9)."""

import re
from binascii import Error, a2b_base64, b2a_base64
from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import parse_number, words

# key-method ":" key-info, of which "inline" alone is defined: key-salt ["|" lifetime] ["|" mki]
_inline = re.compile(r"(?i:inline):([A-Za-z0-9+/=]++)(?:\|(2\^)?([0-9]++)(?!:))?(?:\|([0-9]++):([0-9]++))?").fullmatch
_is_suite = re.compile(r"[A-Za-z0-9_]++").fullmatch

MAX_TAG = 999_999_999
MAX_MKI = 2**64 - 1
"""Largest MKI taken. A choice: §6.1 allows 128 octets, deployed values fit in one to four."""
MAX_LIFETIME = 2**48
"""RFC 3711 §9.2: no master key protects more SRTP packets than this."""


class CryptoKey(NamedTuple):
    """A master key with its salt, how many packets it may protect (None: as many as the cipher allows), and its MKI: value, octets."""

    key_salt: bytes
    lifetime: int | None = None
    mki: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `text` (`inline:…`) is; raises SdpError."""
        found = _inline(text)
        if found is None:
            raise SdpError("malformed key of SRTP")
        key, power, lifetime, mki, length = found.groups()
        try:
            # The padding is no part of the value (§6.1), and some leave it out.
            key_salt = a2b_base64(key + "=" * (-len(key) % 4), strict_mode=True)
        except Error:
            raise SdpError("key of SRTP is no base64") from None
        packets = None
        if lifetime is not None:
            packets = 2 ** parse_number(lifetime, 48) if power else parse_number(lifetime, MAX_LIFETIME)
            if not packets:
                raise SdpError("key without a lifetime")
        if mki is None:
            return cls(key_salt, packets)
        octets = parse_number(length, 128)
        if not octets:
            raise SdpError("MKI without a length")
        return cls(key_salt, packets, (parse_number(mki, MAX_MKI), octets))

    def __str__(self) -> str:
        lifetime = ""
        if self.lifetime is not None:
            power = self.lifetime.bit_length() - 1
            lifetime = f"|2^{power}" if self.lifetime == 1 << power else f"|{self.lifetime}"
        mki = "" if self.mki is None else f"|{self.mki[0]}:{self.mki[1]}"
        return f"inline:{b2a_base64(self.key_salt, newline=False).decode('ascii')}{lifetime}{mki}"

    def __repr__(self) -> str:
        """Without the key: what is printed is often kept."""
        return f"CryptoKey(lifetime={self.lifetime}, mki={self.mki})"


class Crypto(NamedTuple):
    """One choice: a number to name it by, the cipher suite (`"AES_CM_128_HMAC_SHA1_80"`), its keys and its session parameters."""

    tag: int
    suite: str
    keys: tuple[CryptoKey, ...]
    session_params: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The choice that `text` (what follows `a=crypto:`) is; raises SdpError."""
        parts = words(text.replace("\t", " "))
        if len(parts) < 3 or _is_suite(parts[1]) is None:
            raise SdpError("malformed crypto attribute")
        tag, suite, keys, *params = parts
        return cls(parse_number(tag, MAX_TAG), suite, tuple([CryptoKey.parse(key) for key in keys.split(";")]), tuple(params))

    def __str__(self) -> str:
        return " ".join([str(self.tag), self.suite, ";".join([str(key) for key in self.keys]), *self.session_params])
