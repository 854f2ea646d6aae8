"""Whatever comes is a description or an SdpError; what is one comes out as it went in, and every question to it has an answer."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from ringback.sdp.codec import Codec
from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.media import MediaDescription

SESSION_QUESTIONS = ("origin", "name", "times", "connection", "bandwidths", "direction", "is_ice_lite")
MEDIA_QUESTIONS = (
    *(
        "kind",
        "port",
        "port_count",
        "protocol",
        "formats",
        "media_line",
        "codecs",
        "connection",
        "bandwidths",
        "direction",
        "ptime",
        "maxptime",
    ),
    *("rtcp", "is_rtcp_mux", "crypto", "candidates", "ice_ufrag", "ice_pwd", "fingerprints", "fingerprint", "setup", "is_rejected"),
)

VALUES = (
    *(
        "0",
        "0 0",
        "-",
        "",
        "x",
        "IN IP4 192.0.2.1",
        "IN IP6 ff00::1/3",
        "IN IP4 1/2/3/4",
        "AS:64",
        "TIAS:x",
        "- 1 2 IN IP4 h",
        "a b 1 2 IN IP4 h",
    ),
    *(
        "audio 4000 RTP/AVP 0 8 101",
        "audio 0 RTP/AVP",
        "video 1/2 RTP/SAVPF 96  97",
        "audio 4000 udptl t38",
        "sendonly",
        "inactive",
        "rtcp-mux",
    ),
    *("rtpmap:0 PCMU/8000", "rtpmap:96 opus/48000/2", "rtpmap:97", "fmtp:96 a=b", "ptime:20", "maxptime:", "rtcp:1 IN IP4 h", "ice-lite"),
    *(
        "crypto:1 A inline:AAEC|2^20|1:4",
        "candidate:1 1 UDP 1 h 9 typ host",
        "fingerprint:sha-1 AB",
        "setup:active",
        "ice-pwd:x",
        "é",
        "\udcff",
    ),
)
ROWS = st.builds("{}={}".format, st.sampled_from("vosiuepcbtrzkamq"), st.sampled_from(VALUES) | st.text("0 /:=aé١\t\x85\udc80", max_size=8))
HEADS = st.sampled_from(["v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nt=0 0\r\nc=IN IP4 h\r\n", "v=0\no=- 1 2 IN IP4 h\ns=-\nt=0 0\n", "v=0\r\n", ""])
ENDS = st.sampled_from(["\r\n", "\r\n", "\n", "\r", "", "\0"])
LINES = st.lists(st.tuples(ROWS, ENDS).map("".join), max_size=12)
OCTETS = st.tuples(HEADS, LINES.map("".join)).map(lambda parts: "".join(parts).encode("utf-8", "surrogateescape"))

TOKENS = st.text("abcXYZ019-._~", min_size=1, max_size=8)
CODECS = st.builds(
    Codec,
    st.integers(0, 127),
    TOKENS,
    st.integers(1, 2**32 - 1),
    st.integers(1, 255),
    st.none() | st.text("ab=;019", min_size=1, max_size=12),
)
MEDIA = st.builds(
    MediaDescription.audio,
    st.integers(0, 65_535),
    st.lists(CODECS, min_size=1, max_size=6, unique_by=lambda codec: codec.payload_type),
    direction=st.none() | st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
    ptime=st.none() | st.integers(1, 60_000),
    protocol=st.sampled_from(["RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF"]),
)


def look_at(description: SessionDescription) -> None:
    for question in SESSION_QUESTIONS:
        getattr(description, question)
    for medium in description.media:
        for question in MEDIA_QUESTIONS:
            getattr(medium, question)
    str(description), repr(description)


@given(st.binary(max_size=200) | OCTETS)
def test_any_octets_are_a_description_or_an_error(octets: bytes) -> None:
    with contextlib.suppress(SdpError):
        description = SessionDescription.parse(octets)
        look_at(description)
        assert description.to_bytes() == octets
        assert description.copy().to_bytes() == octets


@given(OCTETS)
def test_what_is_changed_is_still_a_description(octets: bytes) -> None:
    with contextlib.suppress(SdpError):
        description = SessionDescription.parse(octets)
        description.origin = description.origin._replace(username="-", version=7)
        description.connection = Connection.of("2001:db8::1")
        for medium in description.media:
            medium.port = 9
            medium.direction = "inactive"
            medium.codecs = medium.codecs or [Codec(96, "x", 8_000)]
        rendered = description.to_bytes()
        try:
            again = SessionDescription.parse(rendered)
        except SdpError as error:
            raise AssertionError(f"{rendered!r} came out: {error}") from None
        assert again == description
        assert again.origin.version == 7
        assert [medium.direction for medium in again.media] == ["inactive"] * len(description.media)


@given(st.lists(MEDIA, max_size=3), st.integers(0, 2**63), st.sampled_from(["192.0.2.1", "2001:db8::1", "h.example"]))
def test_what_is_made_in_code_is_read_back(media: list[MediaDescription], session_id: int, host: str) -> None:
    description = SessionDescription.new(host, session_id=session_id, media=media)
    again = SessionDescription.parse(description.to_bytes())
    assert again == description
    assert [medium.codecs for medium in again.media] == [medium.codecs for medium in media]
    assert [(medium.ptime, medium.direction) for medium in again.media] == [(medium.ptime, medium.direction) for medium in media]
