"""A cipher and its keys for SRTP, sent within the description: a=crypto (RFC 4568 §4, §6, §9)."""

import re
from binascii import Error, a2b_base64, b2a_base64
from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import words

# key-method ":" key-info, of which "inline" alone is defined: key-salt ["|" lifetime] ["|" mki]
_inline = re.compile(r"(?i:inline):([A-Za-z0-9+/=]++)(?:\|(2\^)?+([0-9]{1,20}))?+(?:\|([0-9]{1,20}):([0-9]{1,3}))?+").fullmatch
_tag = re.compile(r"[1-9][0-9]{0,8}|0").fullmatch
_is_suite = re.compile(r"[A-Za-z0-9_]++").fullmatch

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
            key_salt = a2b_base64(key, strict_mode=True)
        except Error:
            raise SdpError("key of SRTP is no base64") from None
        packets = None
        if lifetime is not None:
            packets = int(lifetime)
            if power:
                packets = 2**packets if packets <= 48 else MAX_LIFETIME + 1
            if not 0 < packets <= MAX_LIFETIME:
                raise SdpError("lifetime of a key out of range")
        if mki is None:
            return cls(key_salt, packets)
        if not 1 <= int(length) <= 128:
            raise SdpError("length of MKI out of range")
        return cls(key_salt, packets, (int(mki), int(length)))

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
        if len(parts) < 3 or _tag(parts[0]) is None or _is_suite(parts[1]) is None:
            raise SdpError("malformed crypto attribute")
        tag, suite, keys, *params = parts
        return cls(int(tag), suite, tuple([CryptoKey.parse(key) for key in keys.split(";")]), tuple(params))

    def __str__(self) -> str:
        return " ".join([str(self.tag), self.suite, ";".join([str(key) for key in self.keys]), *self.session_params])
