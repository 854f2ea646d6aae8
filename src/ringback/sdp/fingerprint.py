"""The digest of the certificate a peer will show: a=fingerprint (RFC 8122 §5)."""

import re
from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import TOKEN, ascii_lower

# fingerprint-attribute = "fingerprint" ":" hash-func SP fingerprint; fingerprint = 2UHEX *(":" 2UHEX)
# Departs from RFC 8122 §5: hexadecimal digits in lower case are read too, since a digest is a number however it is written.
_fingerprint = re.compile(rf"({TOKEN}) ++([0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}}){{0,63}}) *+").fullmatch


class Fingerprint(NamedTuple):
    """The hash function's name in lower case (`"sha-256"`) and the digest."""

    hash_function: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """The fingerprint that `text` (what follows `a=fingerprint:`) is; raises SdpError."""
        found = _fingerprint(text)
        if found is None:
            raise SdpError("malformed fingerprint")
        return cls(ascii_lower(found[1]), bytes.fromhex(found[2].replace(":", "")))

    def __str__(self) -> str:
        return f"{self.hash_function} {self.digest.hex(':').upper()}"
