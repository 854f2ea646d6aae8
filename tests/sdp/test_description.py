"""SessionDescription: what is parsed is written again octet for octet, and read by what it means (RFC 8866 §5)."""

import contextlib

import pytest

from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.sdp.codec import PCMA, PCMU, TELEPHONE_EVENT
from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.limits import SdpLimits
from ringback.sdp.media import MediaDescription
from ringback.sdp.origin import Origin
from tests.torture.corpus import ALL

# RFC 8866 §5, with a line of a type that nobody defined and the obsolete k=.
EXAMPLE = """\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:128
t=3724394400 3730536000
r=604800 3600 0 90000
z=3730928400 -1h 3749680800 0
k=prompt
a=inactive
q=of another time
m=audio 49170 RTP/AVP 0
a=sendrecv
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
""".replace("\n", "\r\n").encode()
MINIMAL = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"


def fault(octets: bytes, limits: SdpLimits | None = None) -> tuple[str, int | None]:
    with pytest.raises(SdpError) as caught:
        SessionDescription.parse(octets, *([limits] if limits else []))
    return caught.value.reason, caught.value.line_number


def test_everything_in_it_can_be_asked_for() -> None:
    description = SessionDescription.parse(EXAMPLE)
    assert description.origin == Origin("jdoe", 3724394400, 3724394405, "IN", "IP4", "198.51.100.1")
    assert description.name == "Call to John Smith"
    assert description.connection == Connection("IN", "IP4", "198.51.100.1")
    assert description.times == [(3724394400, 3730536000)]
    assert description.bandwidths == {"CT": 128}
    assert description.direction == "inactive"
    assert description.first("q") == "of another time"
    assert not description.is_ice_lite
    assert [medium.kind for medium in description.media] == ["audio", "audio", "video"]
    assert description.to_bytes() == EXAMPLE
    assert str(description).encode() == EXAMPLE
    assert repr(description) == "<SessionDescription audio 49170 RTP/AVP 0, audio 49180 RTP/AVP 0, video 51372 RTP/AVP 99>"


def test_a_medium_inherits_what_it_does_not_say() -> None:
    first, second, third = SessionDescription.parse(EXAMPLE).media
    assert [medium.direction for medium in (first, second, third)] == ["sendrecv", "inactive", "inactive"]
    assert first.connection == Connection("IN", "IP4", "198.51.100.1")
    assert third.connection == Connection("IN", "IP6", "2001:db8::2")


@pytest.mark.parametrize(
    "octets",
    [
        EXAMPLE.replace(b"\r\n", b"\n"),
        EXAMPLE.replace(b"\r\n", b"\n", 3),
        EXAMPLE[:-2],
        EXAMPLE[:-1],
        EXAMPLE + b"\r\n",
        EXAMPLE + b"\n\r\n",
        EXAMPLE.replace(b"RTP/AVP 0", b"RTP/AVP  0 "),
        EXAMPLE.replace(b"Smith", b"Sm\xefth \xc3\xa9"),
        EXAMPLE.replace(b"m=audio 49170 ", b"m=audio 049170/01 "),
        EXAMPLE.replace(b"v=0", b"v=0 "),
    ],
    ids=["LF", "both", "no last end", "half a last end", "empty line", "empty lines", "spaces", "no UTF-8", "zeros", "space after v=0"],
)
def test_what_is_written_unusually_is_written_so_again_and_in_order_once_changed(octets: bytes) -> None:
    description = SessionDescription.parse(octets)
    assert description.to_bytes() == octets
    assert description.copy().to_bytes() == octets
    assert [medium.kind for medium in description.media] == ["audio", "audio", "video"]
    description.media[0].port = 9
    changed = description.to_bytes()
    assert b"m=audio 9 RTP/AVP 0\r\n" in changed
    assert changed.count(b"\r\n") == changed.count(b"\n") == len(EXAMPLE.split(b"\r\n")) - 1
    assert changed.endswith(b"\r\n")


def test_octets_that_are_no_utf_8_show_as_something_else() -> None:
    assert "Sm�th" in str(SessionDescription.parse(EXAMPLE.replace(b"Smith", b"Sm\xefth")))


def test_within_a_section_lines_may_stand_in_any_order() -> None:
    octets = (
        b"v=0\r\ns=-\r\na=tool:x\r\nt=0 0\r\no=- 1 2 IN IP4 192.0.2.1\r\nb=AS:1\r\nc=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\nt=1 1\r\n"
    )
    assert SessionDescription.parse(octets).to_bytes() == octets


@pytest.mark.parametrize(
    ("octets", "reason", "line"),
    [
        (b"", "description of another kind than v=0", 1),
        (b"\r\n", "description of another kind than v=0", 1),
        (b"\r\n" + MINIMAL, "description of another kind than v=0", 1),
        (MINIMAL.replace(b"v=0", b"v=1"), "description of another kind than v=0", 1),
        (MINIMAL.replace(b"o=", b"x="), "description without origin", None),
        (MINIMAL.replace(b"s=-\r\n", b""), "description without session name", None),
        (MINIMAL.replace(b"t=0 0\r\n", b""), "description without time", None),
        (MINIMAL.replace(b"t=0 0\r\n", b"c=IN IP4 h\r\nm=audio 1 RTP/AVP 0\r\nt=0 0\r\n"), "description without time", None),
        (MINIMAL + b"s=again\r\n", "session name given twice", 5),
        (MINIMAL + b"v=0\r\n", "version given twice", 5),
        (MINIMAL + b"m=audio 0 RTP/AVP 0\r\n" + MINIMAL, "version given twice", 6),
        (MINIMAL.replace(b"1 2", b"1 two"), "not a number", 2),
        (MINIMAL + b"c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n", "connection of the session given twice", 6),
        (MINIMAL + b"c=IN\r\n", "malformed c= line", 5),
        (MINIMAL + b"m=audio 1 RTP/AVP 0\r\nc=\r\n", "malformed c= line", 6),
        (MINIMAL + b"m=audio 0 RTP/AVP 0\r\nm=audio 1 RTP/AVP 0\r\n", "medium without connection", 6),
        (MINIMAL + b"m=audio\r\n", "m= line without medium, port and protocol", 5),
        (MINIMAL + b"a\r\n", "line without a type", 5),
        (MINIMAL + b"\r\na=x\r\n", "line without a type", 5),
        (MINIMAL + b"ab=c\r\n", "line without a type", 5),
        (MINIMAL + b" a=c\r\n", "line without a type", 5),
        (MINIMAL + b"1=c\r\n", "line without a type", 5),
        (MINIMAL + "é=c\r\n".encode(), "line without a type", 5),
        (MINIMAL + b"a=x\ry\r\n", "CR within a line", 5),
        (MINIMAL + b"a=x\r\r\n", "CR within a line", 5),
        (MINIMAL + b"a=x\ry\n", "CR within a line", 5),
        (MINIMAL + b"a=x\0\r\n", "NUL in a line", 5),
    ],
)
def test_what_makes_a_description_unusable_is_said_with_its_line(octets: bytes, reason: str, line: int | None) -> None:
    assert fault(octets) == (reason, line)


def test_an_error_reads_with_its_line() -> None:
    assert str(SdpError("malformed c= line", 5)) == "line 5: malformed c= line"
    assert str(SdpError("description without origin")) == "description without origin"


def test_a_name_may_be_empty_and_a_refused_medium_without_connection() -> None:
    description = SessionDescription.parse(MINIMAL.replace(b"s=-", b"s=") + b"m=audio 0 RTP/AVP 0\r\n")
    assert description.name == ""
    assert description.media[0].connection is None


def test_the_limits_hold_exactly() -> None:
    limits = SdpLimits(octets=len(MINIMAL) + 50, media=2, section_lines=5, formats=3)
    medium = b"m=a 0 R 1 2 3\r\n"
    SessionDescription.parse(MINIMAL + b"a=x\r\n" + medium * 2, limits)
    assert fault(MINIMAL + medium * 3, limits) == ("too many media", 7)
    assert fault(MINIMAL + b"a=x\r\n" * 2, limits) == ("too many lines in one section", 6)
    assert fault(MINIMAL + medium + b"a=\r\n" * 6, limits) == ("too many lines in one section", 11)
    assert fault(MINIMAL + b"m=a 0 R 1 2 3 4\r\n", limits) == ("too many formats", 5)
    SessionDescription.parse(MINIMAL + b"a=" + b"x" * 46 + b"\r\n", limits)
    assert fault(MINIMAL + b"a=" + b"x" * 47 + b"\r\n", limits) == ("description too long", None)


def test_bodies_that_other_programs_died_of_are_errors_with_a_line() -> None:
    """CVE-2022-31001: an m= line cut short; CVE-2022-31003: NUL where a line should end."""
    bodies = {case.file: case.octets.partition(b"\r\n\r\n")[2] for case in ALL if "sdp-" in case.file and case.file.startswith("cve")}
    assert {file: fault(body) for file, body in bodies.items()} == {
        "cve-2022-31001-sdp-truncated.dat": ("m= line without medium, port and protocol", 2),
        "cve-2022-31003-sdp-nul.dat": ("NUL in a line", 2),
    }


def test_every_cut_of_a_description_is_a_description_or_an_error() -> None:
    for end in range(len(EXAMPLE)):
        cut = EXAMPLE[:end]
        with contextlib.suppress(SdpError):
            assert SessionDescription.parse(cut).to_bytes() == cut


def test_the_descriptions_of_the_torture_messages_come_out_as_they_went_in() -> None:
    seen = 0
    for case in ALL:
        message = parse_datagram(case.octets)
        if isinstance(message, Request) and message.body.startswith(b"v=0\r\no=") and not case.file.startswith("cve"):
            assert SessionDescription.parse(message.body).to_bytes() == message.body
            seen += 1
    assert seen > 5


def test_rfc5118_4_8_two_media_over_two_versions_of_ip() -> None:
    body = next(case for case in ALL if case.file.endswith("mult-ip-in-sdp.dat")).octets.partition(b"\r\n\r\n")[2]
    media = SessionDescription.parse(body).media
    assert [medium.connection and (medium.connection.address_type, medium.connection.host) for medium in media] == [
        ("IP4", "192.0.2.1"),
        ("IP6", "2001:db8::1"),
    ]


def test_one_is_made_in_a_breath() -> None:
    medium = MediaDescription.audio(4000, codecs=[PCMU, PCMA, TELEPHONE_EVENT])
    description = SessionDescription.new("192.0.2.1", session_id=17, version=3, media=[medium])
    octets = (
        b"v=0\r\no=- 17 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
    )
    assert description.to_bytes() == octets
    assert SessionDescription.parse(octets) == description
    assert medium.connection == Connection.of("192.0.2.1")
    assert repr(SessionDescription.new("2001:db8::1", session_id=1)) == "<SessionDescription without media>"


def test_the_next_one_of_a_session_has_the_next_version() -> None:
    description = SessionDescription.parse(MINIMAL)
    description.origin = description.origin.next_version()
    description.name = "a new name"
    assert description.to_bytes() == MINIMAL.replace(b"1 2", b"1 3").replace(b"s=-", b"s=a new name")
    description.name = ""
    assert description.name == "-"


def test_times_that_are_malformed_are_left_out() -> None:
    octets = MINIMAL + b"t= 1  2\r\nt=1\r\nt=1 2 3\r\nt=a b\r\nt=3 4\r\n"
    assert SessionDescription.parse(octets).times == [(0, 0), (1, 2), (3, 4)]


def test_a_copy_shares_nothing() -> None:
    description = SessionDescription.parse(EXAMPLE)
    other = description.copy()
    assert other == description
    other.direction = "sendonly"
    other.media[0].formats.append("8")
    other.media.pop()
    assert other != description
    assert other.media[1].direction == "sendonly"
    assert description.to_bytes() == EXAMPLE
    assert description.media[1].direction == "inactive"


def test_media_can_be_exchanged() -> None:
    description = SessionDescription.parse(MINIMAL)
    description.connection = Connection.of("192.0.2.7")
    description.media = (MediaDescription.audio(4000),)
    description.media.append(MediaDescription("image", 4002, "udptl", ["t38"]))
    assert [medium.connection for medium in description.media] == [Connection.of("192.0.2.7")] * 2
    assert SessionDescription.parse(description.to_bytes()) == description


def test_equality_looks_at_lines_and_not_at_their_ends() -> None:
    description = SessionDescription.parse(EXAMPLE)
    assert description == SessionDescription.parse(EXAMPLE.replace(b"\r\n", b"\n"))
    assert description != SessionDescription.parse(EXAMPLE.replace(b"#1", b"#2"))
    assert description != EXAMPLE
    with pytest.raises(TypeError):
        hash(description)


def test_an_ice_lite_peer_says_so() -> None:
    assert SessionDescription.parse(MINIMAL + b"a=ice-lite\r\n").is_ice_lite


def test_no_line_becomes_two() -> None:
    with pytest.raises(ValueError):
        SessionDescription.new("192.0.2.1", session_id=1, name="a\r\nm=audio 1 RTP/AVP 0")
    for text in ("0\r\na=x", "0\n", "0\0", "0\r"):
        medium = MediaDescription.audio(4000)
        medium.formats = [text]
        with pytest.raises(ValueError):
            SessionDescription.new("192.0.2.1", session_id=1, media=[medium]).to_bytes()
