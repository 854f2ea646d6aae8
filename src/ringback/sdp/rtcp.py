"""Where RTCP goes when it does not follow the medium's port: a=rtcp (RFC 3605)."""

from typing import NamedTuple, Self

from ringback.sdp.connection import Connection
from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import parse_number


class Rtcp(NamedTuple):
    """A port and, where it is not the medium's own, an address."""

    port: int
    connection: Connection | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` (what follows `a=rtcp:`) is; raises SdpError."""
        port, _, address = text.rstrip(" ").partition(" ")
        number = parse_number(port, 65_535)
        if not number:
            raise SdpError("RTCP cannot go to port 0")
        return cls(number, Connection.parse(address) if address else None)

    def __str__(self) -> str:
        return str(self.port) if self.connection is None else f"{self.port} {self.connection}"
