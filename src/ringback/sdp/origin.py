"""Who made a description, and which edition of it this is: the o= line (RFC 8866 §5.2)."""

from functools import lru_cache
from typing import NamedTuple, Self

from ringback.sdp.connection import address_type_of
from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import checked_visible, is_token, is_visible, parse_number, words

MAX_NUMBER = 2**64 - 1
"""Largest session id and version taken. RFC 3264 §5 asks for 63 bits; peers that count unsigned use the 64th."""


class Origin(NamedTuple):
    """The o= line. All but `version` together name the session; `version` counts its descriptions."""

    username: str
    session_id: int
    version: int
    network_type: str
    address_type: str
    host: str

    @classmethod
    def of(cls, host: str, session_id: int, version: int, username: str = "-") -> Self:
        """An origin on the Internet; `host` is a name or an address, IPv6 without brackets. ValueError for what no line can hold."""
        if not (0 <= session_id <= MAX_NUMBER and 0 <= version <= MAX_NUMBER):
            raise ValueError("session id and version must fit in 64 bits")
        checked_visible(username, "the user name")
        return cls(username, session_id, version, "IN", address_type_of(checked_visible(host, "the host")), host)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The origin that `text` (what follows `o=`) is; raises SdpError."""
        # Departs from RFC 8866 §5.2: a user name may hold spaces, since phones put the display name of their owner there; the five
        # fields are counted from the right.
        parts = words(text)
        if len(parts) < 6:
            raise SdpError("o= line without its six fields")
        *username, session_id, version, network_type, address_type, host = parts
        if not (is_token(network_type) and is_token(address_type) and is_visible(host)):
            raise SdpError("malformed o= line")
        return cls(
            " ".join(username), parse_number(session_id, MAX_NUMBER), parse_number(version, MAX_NUMBER), network_type, address_type, host
        )

    def next_version(self) -> Self:
        """The origin of the next description in this session: the version is one higher (RFC 3264 §8)."""
        return self._replace(version=self.version + 1)

    def is_same_session(self, other: "Origin") -> bool:
        """Whether both are of one session: all but the version is the same (§5.2)."""
        return self._replace(version=other.version) == other

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.network_type} {self.address_type} {self.host}"


# One description's line is read several times in each exchange.
_remembered = lru_cache(maxsize=256)(Origin.parse)


def known_origin(text: str) -> Origin:
    """`Origin.parse`, remembered where the line is no longer than they usually are."""
    return _remembered(text) if len(text) < 128 else Origin.parse(text)
