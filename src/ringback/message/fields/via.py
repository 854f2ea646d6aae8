"""Via: one hop of the way a request took and its response takes back (RFC 3261 §20.42, RFC 3581)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import (
    MAX_IDENTIFIER,
    PLAIN_PARAMS,
    TOKEN,
    Params,
    ascii_lower,
    parse_params,
    parse_uint,
    plain_params,
    render_params,
)
from ringback.message.host import HOST, HOSTNAME, parse_host

# via-parm = sent-protocol LWS sent-by *( SEMI via-params ), as nearly everybody writes it
_usual = re.compile(rf"SIP/2\.0/({TOKEN}) ({HOST})(?::([0-9]{{1,5}}))?({PLAIN_PARAMS})").fullmatch
# … nothing but a branch, the commonest of all
_only_branch = re.compile(
    rf"SIP/2\.0/(UDP|TCP|TLS|WSS?) ({HOSTNAME})(?::([0-9]{{1,5}}+))?;branch=([A-Za-z0-9.\-]{{1,{MAX_IDENTIFIER}}}+)"
).fullmatch
# … and with the white space that SLASH, COLON and LWS allow, and any protocol
_spaced = re.compile(
    rf"({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]++({HOST})(?:[ \t]*+:[ \t]*+([0-9]{{1,5}}+))?[ \t]*+(;.*+)?",
    re.DOTALL,
).fullmatch


class Via:
    """One Via value.

    `transport` is in capitals, `host` in lower case and without the brackets of IPv6, `params` by lower-case name (None for a name alone).
    """

    __slots__ = ("host", "params", "port", "protocol", "transport")

    def __init__(self, transport: str, host: str, port: int | None = None, params: Params | None = None) -> None:
        self.protocol = "SIP/2.0"
        self.transport = transport
        self.host = host
        self.port = port
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The Via value that `text` is; raises SipParseError."""
        via = cls.__new__(cls)
        found = _only_branch(text)
        if found is not None:
            via.protocol = "SIP/2.0"
            via.transport, host, port, branch = found.groups()
            via.host = host.lower()
            via.port = None if port is None else parse_uint(port, 65535)
            via.params = {"branch": branch}
            return via
        found = _usual(text)
        if found is not None:
            transport, host, port, rest = found.groups()
            via.protocol = "SIP/2.0"
            params = plain_params(rest)
        else:
            found = _spaced(text)
            if found is None:
                raise SipParseError("malformed Via")
            name, version, transport, host, port, rest = found.groups()
            via.protocol = f"{name.upper()}/{version}"
            params = parse_params(rest or "")
        via.transport = transport.upper()
        via.host = host.lower() if host[0] != "[" else parse_host(host)
        via.port = None if port is None else parse_uint(port, 65535)
        via.params = params
        if "branch" in params:
            branch = params["branch"]
            if branch is None or len(branch) > MAX_IDENTIFIER or branch[0] == '"':
                raise SipParseError("malformed branch")
        return via

    @property
    def sent_by(self) -> str:
        """`host` or `host:port` as the sender wrote it into this Via, in lower case."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The transaction's name at this hop; None where an RFC 2543 element gave none."""
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address the request really came from, numeric, IPv6 without brackets (RFC 5118 §4.5 shows both); None if absent."""
        value = self.params.get("received")
        return None if value is None else ascii_lower(value.strip("[]"))

    @property
    def has_rport(self) -> bool:
        """Whether the sender asked for, or a server filled in, the port a request came from (RFC 3581)."""
        return "rport" in self.params

    @property
    def rport(self) -> int | None:
        """The filled-in port; None where it is absent or not filled in yet. Raises SipParseError where it is no port."""
        value = self.params.get("rport")
        return None if value is None else parse_uint(value, 65535)

    @property
    def maddr(self) -> str | None:
        """The address responses go to instead, IPv6 without brackets; None if absent."""
        value = self.params.get("maddr")
        return None if value is None else ascii_lower(value.strip("[]"))

    @property
    def ttl(self) -> int | None:
        """The time-to-live of multicast responses, 0 to 255; raises SipParseError where it is no such number."""
        value = self.params.get("ttl")
        return None if value is None else parse_uint(value, 255)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and _components(self) == _components(other)

    __hash__ = None  # type: ignore[assignment]  # a Via is stamped with received and rport: it may be no key

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport} {self.sent_by}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<Via {self}>"


def _components(via: Via) -> tuple[object, ...]:
    return via.protocol, via.transport, via.host, via.port, via.params
