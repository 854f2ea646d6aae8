"""MediaDescription: the m= line and what the attributes below it say (RFC 8866 §5.14 and §6, and the RFCs that added attributes)."""

from typing import Any

import pytest

from ringback.sdp.codec import G722, PCMA, PCMU, TELEPHONE_EVENT, Codec
from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.media import MediaDescription
from ringback.sdp.rtcp import Rtcp


def medium(line: str, *attributes: str) -> MediaDescription:
    made = MediaDescription.parse(line)
    made.lines = [("a", attribute) for attribute in attributes]
    return made


def in_session(session_attribute: str, *attributes: str) -> MediaDescription:
    description = SessionDescription.new("192.0.2.1", session_id=1, media=[medium("audio 4000 RTP/AVP 0", *attributes)])
    description.add_line("a", session_attribute)
    return description.media[0]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("audio 49170 RTP/AVP 0", ("audio", 49170, 1, "RTP/AVP", ["0"])),
        ("video 49170/2 RTP/AVP 31", ("video", 49170, 2, "RTP/AVP", ["31"])),
        ("image 0 udptl t38", ("image", 0, 1, "udptl", ["t38"])),
        ("application 9 UDP/DTLS/SCTP webrtc-datachannel", ("application", 9, 1, "UDP/DTLS/SCTP", ["webrtc-datachannel"])),
        ("message 12763 TCP/MSRP *", ("message", 12763, 1, "TCP/MSRP", ["*"])),
        ("audio 65535 RTP/SAVPF 111 0 8", ("audio", 65535, 1, "RTP/SAVPF", ["111", "0", "8"])),
        ("audio 0 RTP/AVP", ("audio", 0, 1, "RTP/AVP", [])),
    ],
)
def test_the_media_line_reads_what_it_writes(line: str, parts: tuple[object, ...]) -> None:
    made = MediaDescription.parse(line)
    assert (made.kind, made.port, made.port_count, made.protocol, made.formats) == parts
    assert made.media_line == line
    assert repr(made) == f"<MediaDescription {line}>"


@pytest.mark.parametrize("line", ["audio  04000/01  RTP/AVP 0", " audio 4000 RTP/AVP 0 ", "audio 4000/1 RTP/AVP  0"])
def test_odd_spaces_and_zeros_are_understood(line: str) -> None:
    assert MediaDescription.parse(line).media_line == "audio 4000 RTP/AVP 0"


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            "audio",
            "audio 1",
            "audio 1 RTP/AVP",
            "audio 65536 RTP/AVP 0",
            "audio 99999 RTP/AVP 0",
            "audio x RTP/AVP 0",
            "audio -1 RTP/AVP 0",
        ),
        *(
            "audio 1/ RTP/AVP 0",
            "audio 1/0 RTP/AVP 0",
            "audio 1/99999 RTP/AVP 0",
            "au@dio 1 RTP/AVP 0",
            "audio 1 RTP//AVP 0",
            "audio 1 RTP/ 0",
        ),
        *("audio\t1 RTP/AVP 0", "audio 0/0 RTP/AVP", "audio ١ RTP/AVP 0"),
    ],
)
def test_a_malformed_media_line_is_an_error(line: str) -> None:
    with pytest.raises(SdpError):
        MediaDescription.parse(line)


@pytest.mark.parametrize(
    "arguments",
    [
        *(("a b", 1, "RTP/AVP"), ("audio", -1, "RTP/AVP"), ("audio", 65_536, "RTP/AVP"), ("audio", 1, "RTP/"), ("audio", 1, "RTP AVP")),
        *(("audio", 1, "RTP/AVP", ["0 8"]), ("audio", 1, "RTP/AVP", ["0"], 0), ("audio", 1, "RTP/AVP", ["0"], 65_536)),
    ],
)
def test_no_medium_is_made_that_cannot_be_written(arguments: Any) -> None:
    with pytest.raises(ValueError):
        MediaDescription(*arguments)


def test_audio_is_made_readably() -> None:
    audio = MediaDescription.audio(4000, [PCMA], direction="sendonly", ptime=20, protocol="RTP/SAVP")
    assert audio.media_line == "audio 4000 RTP/SAVP 8"
    assert audio.all("a") == ["rtpmap:8 PCMA/8000", "ptime:20", "sendonly"]
    assert MediaDescription.audio(4000).codecs == [PCMU, PCMA, TELEPHONE_EVENT]
    with pytest.raises(ValueError):
        MediaDescription.audio(4000, [])


def test_codecs_come_from_rtpmap_fmtp_and_the_static_types() -> None:
    made = medium(
        "audio 4000 RTP/AVP 0 96 97 8 18 0 101 31 x 300 102",
        *(
            "rtpmap:96 opus/48000/2",
            "rtpmap:96 again/8000",
            "fmtp:96 useinbandfec=1",
            "fmtp:96 again",
            "rtpmap:8 OTHER/16000",
            "fmtp:18 annexb=no",
        ),
        *(
            "rtpmap:101 telephone-event/8000",
            "fmtp:101 ",
            "rtpmap:31 LPC",
            "rtpmap: 102 late/8000",
            "ptime:20",
            "rtpmap:x x/8000",
            "rtpmap:300 x/8000",
        ),
    )
    made.add_line("i", "rtpmap:97 not/8000")
    assert made.codecs == [
        PCMU,
        Codec(96, "opus", 48_000, 2, "useinbandfec=1"),
        Codec(8, "OTHER", 16_000),
        Codec(18, "G729", 8_000, fmtp="annexb=no"),
        Codec(101, "telephone-event", 8_000),
        Codec(31, "H261", 90_000),
    ]


def test_a_medium_without_rtp_has_no_codecs() -> None:
    assert medium("image 4000 udptl 0").codecs == []


def test_setting_codecs_replaces_what_is_said_of_formats() -> None:
    made = medium(
        "audio 4000 RTP/AVPF 0 96", "ptime:20", "rtpmap:96 x/8000", "fmtp:96 y", "rtcp-fb:96 nack", "rtcp-fb:9 nack", "rtcp-fb:* ccm fir"
    )
    made.codecs = [G722, Codec(97, "y", 8_000, fmtp="z")]
    assert made.media_line == "audio 4000 RTP/AVPF 9 97"
    assert made.all("a") == ["ptime:20", "rtpmap:9 G722/8000", "rtpmap:97 y/8000", "fmtp:97 z", "rtcp-fb:9 nack", "rtcp-fb:* ccm fir"]


@pytest.mark.parametrize("codecs", [[PCMU, PCMU], [Codec(128, "x", 8_000)], [Codec(-1, "x", 8_000)], [Codec(96, "x\r\na=y", 8_000)]])
def test_codecs_that_cannot_be_written_change_nothing(codecs: list[Codec]) -> None:
    made = MediaDescription.audio(4000)
    before = made.copy()
    with pytest.raises(ValueError):
        made.codecs = codecs
    assert made == before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("2.5", 2.5),
        (" 20 ", 20),
        ("60000", 60_000),
        ("60001", None),
        ("0.0005", None),
        ("0", None),
        ("", None),
        ("x", None),
        ("1.", None),
        ("1.x", None),
    ],
)
def test_packet_times_are_milliseconds(text: str, value: float | None) -> None:
    made = medium("audio 4000 RTP/AVP 0", f"ptime:{text}", f"maxptime:{text}")
    assert made.ptime == made.maxptime == value


def test_packet_times_are_set_and_taken_away() -> None:
    made = medium("audio 4000 RTP/AVP 0")
    assert made.ptime is None
    made.ptime, made.maxptime = 20, 62.5
    assert made.all("a") == ["ptime:20", "maxptime:62.5"]
    made.ptime = 100
    made.maxptime = None
    assert made.all("a") == ["ptime:100"]
    for milliseconds in (0, -1, 60_001, float("nan")):
        with pytest.raises(ValueError):
            made.ptime = milliseconds


def test_where_rtcp_goes() -> None:
    made = medium("audio 4000 RTP/AVP 0", "rtcp:x", "rtcp:53020 IN IP4 126.16.64.4", "rtcp-mux")
    assert made.rtcp == Rtcp(53020, Connection.of("126.16.64.4"))
    assert made.is_rtcp_mux
    assert medium("audio 4000 RTP/AVP 0").rtcp is None
    assert not medium("audio 4000 RTP/AVP 0", "rtcp-muxed").is_rtcp_mux


def test_keys_and_candidates_that_are_malformed_are_left_out() -> None:
    made = medium("audio 4000 RTP/SAVP 0", "crypto:x", "crypto:1 A inline:AAEC", "candidate:x", "candidate:1 1 UDP 1 192.0.2.1 9 typ host")
    assert [crypto.suite for crypto in made.crypto] == ["A"]
    assert [candidate.host for candidate in made.candidates] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("name", "attribute", "good", "bad"), [("ice-ufrag", "ice_ufrag", "8hhY", "8hh"), ("ice-pwd", "ice_pwd", "a" * 22, "a" * 21)]
)
def test_ice_credentials_may_be_the_session_s(name: str, attribute: str, good: str, bad: str) -> None:
    assert getattr(in_session(f"{name}:{good}"), attribute) == good
    assert getattr(in_session(f"{name}:{good}", f"{name}:{'b' * 256}"), attribute) == "b" * 256
    for text in (bad, "b" * 257, good + "-"):
        assert getattr(in_session(f"{name}:{good}", f"{name}:{text}"), attribute) is None
    assert getattr(in_session("x"), attribute) is None


def test_fingerprints_may_be_the_session_s() -> None:
    assert in_session("fingerprint:sha-1 AB", "fingerprint:x", "fingerprint:sha-256 CD", "fingerprint:sha-1 EF").fingerprint == (
        "sha-256",
        b"\xcd",
    )
    assert [one.digest for one in in_session("fingerprint:sha-1 AB").fingerprints] == [b"\xab"]
    assert in_session("x").fingerprint is None


def test_setup_may_be_the_session_s() -> None:
    assert in_session("setup:actpass").setup == "actpass"
    assert in_session("setup:actpass", "setup:active").setup == "active"
    assert in_session("setup:actpass", "setup:me").setup is None
    assert in_session("x").setup is None


def test_port_0_rejects_but_for_a_bundle() -> None:
    assert medium("audio 0 RTP/AVP 0").is_rejected
    assert not medium("audio 4000 RTP/AVP 0").is_rejected
    assert not medium("audio 0 RTP/AVP 0", "bundle-only").is_rejected


def test_a_copy_shares_nothing_but_the_session() -> None:
    made = in_session("inactive", "x")
    other = made.copy()
    assert other == made and other.direction == "inactive"
    other.formats.append("8")
    other.set_attribute("y")
    assert made.media_line == "audio 4000 RTP/AVP 0" and made.all("a") == ["x"]
    assert other != made
    assert made != "audio 4000 RTP/AVP 0"
    with pytest.raises(TypeError):
        hash(made)
