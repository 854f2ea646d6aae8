"""One medium of a session: the m= line and what stands below it (RFC 8866 §5.14)."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Self, TypeVar

from ringback.sdp.candidate import Candidate
from ringback.sdp.codec import MAX_PAYLOAD_TYPE, PCMA, PCMU, STATIC, TELEPHONE_EVENT, Codec
from ringback.sdp.crypto import Crypto
from ringback.sdp.errors import SdpError
from ringback.sdp.fingerprint import Fingerprint
from ringback.sdp.grammar import TOKEN, checked_text, checked_token, is_token, parse_decimal, parse_number, words
from ringback.sdp.rtcp import Rtcp
from ringback.sdp.section import Section

MAX_PORT = 65_535
MIN_TIME = 0.001
"""Shortest packet time, in milliseconds. A choice: no packet holds less than a sample, and no codec has a million a second."""
MAX_TIME = 60_000
"""Longest packet time, in milliseconds. A choice: no packet holds a minute."""

# proto  =  token *("/" token)
_PROTOCOL = rf"{TOKEN}(?>(?:/{TOKEN})*)"
# media-field = %s"m" "=" media SP port ["/" integer] SP proto 1*(SP fmt) CRLF
_media_line = re.compile(rf"({TOKEN}) (0|[1-9][0-9]{{0,4}})(?:/([1-9][0-9]{{0,4}}))? ({_PROTOCOL}) ([^ ].*+)").fullmatch
_is_protocol = re.compile(_PROTOCOL).fullmatch
# ice-char = ALPHA / DIGIT / "+" / "/"
_is_ufrag = re.compile(r"[A-Za-z0-9+/]{4,256}").fullmatch
_is_password = re.compile(r"[A-Za-z0-9+/]{22,256}").fullmatch

SETUP_ROLES = frozenset({"active", "passive", "actpass", "holdconn"})
Value = TypeVar("Value")

_STATIC_FORMATS = {str(number): codec for number, codec in STATIC.items()}

# Lines about codecs, and characters of each, up to which a list of codecs is remembered: a browser's offer has some 60 of at most 130.
_USUAL = 128

_OF_A_CODEC = ("rtpmap:", "fmtp:")
_OF_A_FORMAT = ("rtpmap:", "fmtp:", "rtcp-fb:")


class MediaDescription(Section):
    """A medium. Its m= line is `kind`, `port`, `port_count`, `protocol` and `formats`, free to be changed; `lines` are those below it.

    What this room cannot read among the attributes it skips, as §5.13 asks for what is not understood.
    """

    __slots__ = ("kind", "port", "port_count", "protocol", "formats", "is_plain")

    letters = frozenset("icbka")

    kind: str
    port: int
    port_count: int
    protocol: str
    formats: list[str]
    is_plain: bool
    """Whether the m= line came as `media_line` writes it."""

    def __init__(self, kind: str, port: int, protocol: str, formats: Iterable[str] = (), port_count: int = 1) -> None:
        """A medium without attributes; ValueError for what no m= line can hold."""
        super().__init__()
        self.kind = checked_token(kind, "a medium")
        if not 0 <= port <= MAX_PORT or not 1 <= port_count <= MAX_PORT:
            raise ValueError("a port is from 0 to 65535")
        if _is_protocol(protocol) is None:
            raise ValueError(f"a protocol is tokens between slashes: {protocol!r}")
        self.port = port
        self.port_count = port_count
        self.protocol = protocol
        self.formats = [checked_token(one, "a format") for one in formats]
        self.is_plain = True

    @classmethod
    def audio(
        cls,
        port: int,
        codecs: Iterable[Codec] = (PCMU, PCMA, TELEPHONE_EVENT),
        *,
        direction: str | None = None,
        ptime: float | None = None,
        protocol: str = "RTP/AVP",
    ) -> Self:
        """Audio over RTP; the first codec is the one preferred. `ptime` is in milliseconds."""
        medium = cls("audio", port, protocol)
        medium.codecs = list(codecs)
        if not medium.formats:
            raise ValueError("audio without a codec")
        if ptime is not None:
            medium.ptime = ptime
        if direction is not None:
            medium.direction = direction
        return medium

    @classmethod
    def parse(cls, text: str) -> Self:
        """The medium whose m= line holds `text`, without lines of its own yet; raises SdpError."""
        medium = cls.__new__(cls)
        medium.lines = []
        medium.session_lines = []
        found = _media_line(text)
        if found is not None:
            medium.kind, port, count, medium.protocol, formats = found.groups()
            medium.formats = words(formats)
            medium.port = parse_number(port, MAX_PORT)
            medium.port_count = parse_number(count, MAX_PORT) if count else 1
        else:
            medium._parse_unusual(words(text))
        medium.is_plain = text == medium.media_line
        return medium

    def _parse_unusual(self, parts: list[str]) -> None:
        if len(parts) < 3:
            raise SdpError("m= line without medium, port and protocol")
        self.kind, ports, self.protocol, *self.formats = parts
        if not (is_token(self.kind) and _is_protocol(self.protocol)):
            raise SdpError("malformed m= line")
        port, slash, count = ports.partition("/")
        self.port = parse_number(port, MAX_PORT)
        self.port_count = parse_number(count, MAX_PORT) if slash else 1
        # Departs from RFC 8866 §9: a medium that is refused may name no format, since some answers do not.
        if self.port_count == 0 or (self.port and not self.formats):
            raise SdpError("m= line without a port count or a format")

    @property
    def media_line(self) -> str:
        """What follows `m=`."""
        count = "" if self.port_count == 1 else f"/{self.port_count}"
        return f"{self.kind} {self.port}{count} {' '.join([self.protocol, *self.formats])}"

    @property
    def codecs(self) -> list[Codec]:
        """What the formats stand for, in their order; those of which nothing is known are left out. Empty for a medium without RTP."""
        if "RTP/" not in self.protocol:
            return []
        lines = [value for letter, value in self.lines if letter == "a" and value.startswith(_OF_A_CODEC)]
        # Everybody's codecs are written alike and are read several times in each exchange; a long list is one peer's own.
        read = _known_codecs if len(lines) <= _USUAL and max(map(len, lines), default=0) <= _USUAL else _codecs
        return list(read(tuple(self.formats), tuple(lines)))

    @codecs.setter
    def codecs(self, codecs: Sequence[Codec]) -> None:
        for codec in codecs:
            checked_token(codec.name, "a codec's name")
            checked_text(codec.fmtp or "")
        formats = [str(codec.payload_type) for codec in codecs]
        if len(set(formats)) != len(formats) or any(not 0 <= codec.payload_type <= MAX_PAYLOAD_TYPE for codec in codecs):
            raise ValueError("payload types are from 0 to 127, each for one codec")
        lines = [line for line in self.lines if not (line[0] == "a" and line[1].startswith(_OF_A_FORMAT))]
        former, self.lines[:] = self.lines[:], lines
        for codec in codecs:
            self.add_attribute("rtpmap", str(codec))
            if codec.fmtp:
                self.add_attribute("fmtp", f"{codec.payload_type} {codec.fmtp}")
        for _, value in former:
            name, _, text = value.partition(":")
            if name == "rtcp-fb" and text.partition(" ")[0] in ("*", *formats):
                self.add_attribute(name, text)
        self.formats = formats

    @property
    def ptime(self) -> float | None:
        """How much media a packet shall hold, in milliseconds (§6.4); None where nothing is said."""
        return self._time("ptime")

    @ptime.setter
    def ptime(self, milliseconds: float | None) -> None:
        self._set_time("ptime", milliseconds)

    @property
    def maxptime(self) -> float | None:
        """How much media a packet may hold, in milliseconds (§6.5); None where nothing is said."""
        return self._time("maxptime")

    @maxptime.setter
    def maxptime(self, milliseconds: float | None) -> None:
        self._set_time("maxptime", milliseconds)

    def _time(self, name: str) -> float | None:
        text = self.attribute(name)
        if text is None:
            return None
        try:
            milliseconds = parse_decimal(text.strip(" "), MAX_TIME)
        except SdpError:
            return None
        return milliseconds if milliseconds >= MIN_TIME else None

    def _set_time(self, name: str, milliseconds: float | None) -> None:
        if milliseconds is None:
            self.remove_attribute(name)
        elif MIN_TIME <= milliseconds <= MAX_TIME:
            self.set_attribute(name, f"{milliseconds:.3f}".rstrip("0").rstrip("."))
        else:
            raise ValueError("a packet time is from a microsecond to a minute")

    @property
    def rtcp(self) -> Rtcp | None:
        """Where RTCP goes, if not to the port after the medium's (RFC 3605); None where nothing is said."""
        return next(iter(_read(Rtcp.parse, self.attributes("rtcp"))), None)

    @property
    def is_rtcp_mux(self) -> bool:
        """Whether RTP and RTCP share one port (RFC 5761)."""
        return self.attribute("rtcp-mux") is not None

    @property
    def crypto(self) -> list[Crypto]:
        """The keys offered or chosen for SRTP (RFC 4568), in the order of preference."""
        return _read(Crypto.parse, self.attributes("crypto"))

    @property
    def candidates(self) -> list[Candidate]:
        """Where ICE may reach this medium (RFC 8839 §5.1)."""
        return _read(Candidate.parse, self.attributes("candidate"))

    @property
    def ice_ufrag(self) -> str | None:
        """ICE's user name fragment (RFC 8839 §5.4), the session's where the medium has none."""
        text = self.inherited_attribute("ice-ufrag")
        return text if text is not None and _is_ufrag(text) else None

    @property
    def ice_pwd(self) -> str | None:
        """ICE's password (RFC 8839 §5.4), the session's where the medium has none."""
        text = self.inherited_attribute("ice-pwd")
        return text if text is not None and _is_password(text) else None

    @property
    def fingerprints(self) -> list[Fingerprint]:
        """The certificates of whom DTLS is spoken with (RFC 8122 §5), the session's where the medium has none."""
        texts = self.attributes("fingerprint")
        if not texts:
            prefix = "fingerprint:"
            texts = [value[len(prefix) :] for letter, value in self.session_lines if letter == "a" and value.startswith(prefix)]
        return _read(Fingerprint.parse, texts)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """The first of `fingerprints`."""
        return next(iter(self.fingerprints), None)

    @property
    def setup(self) -> str | None:
        """Who opens the connection (RFC 4145 §4, RFC 5763 §5), the session's where the medium does not say; None where nothing is said."""
        text = self.inherited_attribute("setup")
        return text if text in SETUP_ROLES else None

    @property
    def is_rejected(self) -> bool:
        """Whether there shall be no such stream (RFC 3264 §6): port 0, unless that only says "in the bundle" (RFC 9143 §6)."""
        return self.port == 0 and self.attribute("bundle-only") is None

    def copy(self) -> Self:
        """One of its own; what it inherits it inherits from the same session still."""
        other = type(self).__new__(type(self))
        other.kind, other.port, other.port_count, other.protocol = self.kind, self.port, self.port_count, self.protocol
        other.formats = self.formats[:]
        other.lines = self.lines[:]
        other.session_lines = self.session_lines
        other.is_plain = self.is_plain
        return other

    def __eq__(self, other: object) -> bool:
        """Whether the same is written in both."""
        if not isinstance(other, MediaDescription):
            return NotImplemented
        return self.media_line == other.media_line and self.lines == other.lines

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"<MediaDescription {self.media_line}>"


def _codec(number: str, rtpmap: str | None, fmtp: str | None) -> Codec | None:
    """What payload type `number` stands for by its rtpmap, or else by RFC 3551."""
    try:
        if rtpmap is not None:
            return Codec.parse(rtpmap, fmtp)
    except SdpError:
        pass
    codec = _STATIC_FORMATS.get(number)
    return codec if codec is None or fmtp is None else codec._replace(fmtp=fmtp)


def _codecs(formats: tuple[str, ...], lines: tuple[str, ...]) -> tuple[Codec, ...]:
    """What payload types stand for, by the rtpmap and fmtp lines of their medium; the first of several lines counts."""
    maps: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for value in lines:
        if value.startswith("rtpmap:"):
            maps.setdefault(value[7:].partition(" ")[0], value[7:])
        else:
            number, _, text = value[5:].partition(" ")
            parameters.setdefault(number, text.strip(" "))
    codecs = [_codec(number, maps.get(number), parameters.get(number) or None) for number in dict.fromkeys(formats)]
    return tuple([codec for codec in codecs if codec is not None])


_known_codecs = lru_cache(maxsize=256)(_codecs)


def _read(parse: Callable[[str], Value], texts: list[str]) -> list[Value]:
    """The values of those texts that are well formed."""
    values = []
    for text in texts:
        try:
            values.append(parse(text))
        except SdpError:
            continue
    return values
