"""A session description: what a party is ready to send and receive, and where (RFC 8866)."""

from collections.abc import Iterable
from typing import Self

from ringback.sdp.connection import Connection
from ringback.sdp.grammar import checked_text, parse_number, words
from ringback.sdp.limits import DEFAULT_LIMITS, SdpLimits
from ringback.sdp.media import MediaDescription
from ringback.sdp.origin import MAX_NUMBER, Origin, known_origin
from ringback.sdp.parser import read_sections, split_lines
from ringback.sdp.section import Section, first_line


class SessionDescription(Section):
    """The lines of the whole session, and the media with theirs.

    What was parsed is written octet for octet as long as nothing is changed; once changed, with CRLF at every line's end.
    """

    __slots__ = ("_media", "_received")

    letters = frozenset("vosiuepcbtrzka")

    _media: list[MediaDescription]
    _received: tuple[bytes, bytes] | None
    """What `_rendered` gives for a description that came written otherwise, and how it came."""

    def __init__(self, origin: Origin, name: str = "-", media: Iterable[MediaDescription] = ()) -> None:
        """A permanent session (`t=0 0`) without an address of its own; ValueError for a name that no line can hold."""
        super().__init__()
        self.lines = [("v", "0"), ("o", str(origin)), ("s", checked_text(name or "-")), ("t", "0 0")]
        self.media = list(media)
        self._received = None

    @classmethod
    def new(
        cls,
        host: str,
        *,
        session_id: int,
        version: int = 1,
        username: str = "-",
        name: str = "-",
        media: Iterable[MediaDescription] = (),
    ) -> Self:
        """A description of media at `host`: a name or an address, IPv6 without brackets. ValueError for what no line can hold."""
        description = cls(Origin.of(host, session_id, version, username), name, media)
        description.connection = Connection.of(host)
        return description

    @classmethod
    def parse(cls, octets: bytes, limits: SdpLimits = DEFAULT_LIMITS) -> Self:
        """The description that `octets` are; raises SdpError, which names the line."""
        rows, is_plain = split_lines(octets, limits)
        description = cls.__new__(cls)
        description.session_lines = []
        description.lines, description._media = read_sections(rows, limits)
        description._received = None
        if not (is_plain and all(medium.is_plain for medium in description._media)):
            description._received = (description._rendered(), octets)
        return description

    def to_bytes(self) -> bytes:
        """The description as it goes into a body."""
        rendered = self._rendered()
        if self._received is not None and self._received[0] == rendered:
            return self._received[1]
        return rendered

    def _rendered(self) -> bytes:
        parts = [f"{letter}={value}\r\n" for letter, value in self.lines]
        for medium in self._media:
            parts.append(f"m={medium.media_line}\r\n")
            parts += [f"{letter}={value}\r\n" for letter, value in medium.lines]
        text = "".join(parts)
        # `lines` and what the m= line is made of are open to everybody: none of it may become a line of its own.
        if not (text.count("\n") == text.count("\r") == len(parts)) or "\0" in text:
            raise ValueError("a line of a session description cannot hold NUL, CR or LF")
        return text.encode("utf-8", "surrogateescape")

    @property
    def media(self) -> list[MediaDescription]:
        """The media in their order; what is put into the list inherits from this session. A medium of another session is copied first."""
        for medium in self._media:
            medium.session_lines = self.lines
        return self._media

    @media.setter
    def media(self, media: Iterable[MediaDescription]) -> None:
        self._media = list(media)
        for medium in self._media:
            medium.session_lines = self.lines

    @property
    def origin(self) -> Origin:
        """Who made the description, and which edition it is (§5.2)."""
        return known_origin(first_line(self.lines, "o") or "")

    @origin.setter
    def origin(self, origin: Origin) -> None:
        self.set_line("o", str(origin))

    @property
    def name(self) -> str:
        """The session's name (§5.3); "-" and " " mean that it has none, and some write nothing."""
        return first_line(self.lines, "s") or ""

    @name.setter
    def name(self, name: str) -> None:
        self.set_line("s", name or "-")

    @property
    def times(self) -> list[tuple[int, int]]:
        """When the session is active (§5.9): start and stop in seconds since 1900, 0 for no bound. Malformed t= lines are left out."""
        times = []
        for text in self.all("t"):
            try:
                start, stop = [parse_number(word, MAX_NUMBER) for word in words(text)]
            except ValueError:
                continue
            times.append((start, stop))
        return times

    @property
    def is_ice_lite(self) -> bool:
        """Whether the peer only answers ICE's checks (RFC 8839 §5.3)."""
        return self.attribute("ice-lite") is not None

    def copy(self) -> Self:
        """One of its own, media too."""
        other = type(self).__new__(type(self))
        other.lines = self.lines[:]
        other.session_lines = []
        other.media = [medium.copy() for medium in self._media]
        other._received = self._received
        return other

    def __eq__(self, other: object) -> bool:
        """Whether the same is written in both, whatever their lines end in."""
        if not isinstance(other, SessionDescription):
            return NotImplemented
        return self.lines == other.lines and self._media == other._media

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __str__(self) -> str:
        return self.to_bytes().decode("utf-8", "replace")

    def __repr__(self) -> str:
        return f"<SessionDescription {', '.join([medium.media_line for medium in self._media]) or 'without media'}>"
