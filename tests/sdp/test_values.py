"""The values of o=, c= and b= and of attributes: each reads what it writes, and refuses what it cannot be."""

from typing import Any

import pytest

from ringback.sdp.bandwidth import Bandwidth
from ringback.sdp.candidate import Candidate
from ringback.sdp.codec import G722, OPUS, PCMA, PCMU, STATIC, TELEPHONE_EVENT, Codec
from ringback.sdp.connection import Connection
from ringback.sdp.crypto import Crypto, CryptoKey
from ringback.sdp.errors import SdpError
from ringback.sdp.fingerprint import Fingerprint
from ringback.sdp.origin import Origin
from ringback.sdp.rtcp import Rtcp

KEY = bytes(range(30))
KEY_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- 1 2 IN IP4 192.0.2.1", Origin("-", 1, 2, "IN", "IP4", "192.0.2.1")),
        ("a b 18446744073709551615 0 IN IP6 ::1", Origin("a b", 2**64 - 1, 0, "IN", "IP6", "::1")),
        ("IN IP4 192.0.2.1", Connection("IN", "IP4", "192.0.2.1")),
        ("IN IP4 233.252.0.1/127", Connection("IN", "IP4", "233.252.0.1", 127)),
        ("IN IP4 233.252.0.1/127/3", Connection("IN", "IP4", "233.252.0.1", 127, 3)),
        ("IN IP6 ff00::db8:0:101/3", Connection("IN", "IP6", "ff00::db8:0:101", None, 3)),
        ("ATM NSAP 47.0091/8100", Connection("ATM", "NSAP", "47.0091/8100")),
        ("AS:64", Bandwidth("AS", 64)),
        ("9 opus/48000/2", Codec(9, "opus", 48_000, 2)),
        ("98 L16/16000", Codec(98, "L16", 16_000)),
        ("53020", Rtcp(53020)),
        ("53020 IN IP4 126.16.64.4", Rtcp(53020, Connection("IN", "IP4", "126.16.64.4"))),
        ("sha-256 00:FF:0A", Fingerprint("sha-256", b"\x00\xff\n")),
        (
            "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
            Candidate("2", 1, "UDP", 1694498815, "192.0.2.3", 45664, "srflx", "203.0.113.141", 8998),
        ),
        (
            "1 2 tcp 1 2001:db8::1 9 typ host tcptype active generation ",
            Candidate("1", 2, "tcp", 1, "2001:db8::1", 9, "host", None, None, (("tcptype", "active"), ("generation", ""))),
        ),
        (
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_TEXT}|2^20|1:32 KDR=1 UNENCRYPTED_SRTCP",
            Crypto(1, "AES_CM_128_HMAC_SHA1_80", (CryptoKey(KEY, 2**20, (1, 32)),), ("KDR=1", "UNENCRYPTED_SRTCP")),
        ),
        (
            f"2 F8_128_HMAC_SHA1_80 inline:{KEY_TEXT}|1066:4;inline:{KEY_TEXT}|1000",
            Crypto(2, "F8_128_HMAC_SHA1_80", (CryptoKey(KEY, None, (1066, 4)), CryptoKey(KEY, 1000))),
        ),
    ],
)
def test_a_value_reads_what_it_writes(text: str, value: Any) -> None:
    assert type(value).parse(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    ("kind", "text", "canonical"),
    [
        (Origin, " alice  1 2 IN IP4 h ", "alice 1 2 IN IP4 h"),
        (Connection, "IN  IP4 192.0.2.1 ", "IN IP4 192.0.2.1"),
        (Connection, "IN IP4 192.0.2.1 more", "IN IP4 192.0.2.1"),
        (Bandwidth, "AS:64 ", "AS:64"),
        (Codec, "0  PCMU/8000/1 ", "0 PCMU/8000"),
        (Rtcp, "53020 ", "53020"),
        (Fingerprint, "SHA-1  ab:cd ", "sha-1 AB:CD"),
        (Candidate, "1 1 UDP 1 192.0.2.1 9 typ host ", "1 1 UDP 1 192.0.2.1 9 typ host"),
        (Crypto, f"1\tA  INLINE:{KEY_TEXT}|1048576 ", f"1 A inline:{KEY_TEXT}|2^20"),
        (Crypto, "1 A inline:AAE", "1 A inline:AAE="),
    ],
)
def test_what_is_written_unusually_is_understood(kind: Any, text: str, canonical: str) -> None:
    assert str(kind.parse(text)) == canonical


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            Origin,
            [
                *("", "- 1 2 IN IP4", "1 2 IN IP4 h", "- a 2 IN IP4 h", "- 1 -2 IN IP4 h", "- 1 18446744073709551616 IN IP4 h"),
                *(
                    "- 1 2 I(N IP4 h",
                    "- 1 2 IN I[P4 h",
                    "- 1 2 IN IP4 h\x7f",
                    f"- {'1' * 21} 2 IN IP4 h",
                    "- ١ 2 IN IP4 h",
                    "- 1_0 2 IN IP4 h",
                ),
            ],
        ),
        (
            Connection,
            [
                *("", "IN IP4", "I@N IP4 h", "IN I@P4 h", "IN IP4 h\t", "IN IP4 h/", "IN IP4 h/x", "IN IP4 h/256", "IN IP4 h/1/0"),
                *("IN IP4 h/1/1/1", "IN IP4 /1", "IN IP6 h/1/2", "IN IP6 h/0", "IN IP4 h/1/65536"),
            ],
        ),
        (Bandwidth, ["", "AS", "AS:", ":1", "A S:1", "AS:x", "AS:9223372036854775808"]),
        (
            Codec,
            [
                "",
                "0",
                "0 PCMU",
                "31 LPC",
                "128 a/1",
                "0 a/0",
                "0 a/1/0",
                "0 a/4294967296",
                "0 a/1/256",
                "x a/1",
                "0 a b/1",
                "0 a/1/2/3",
                " 0 a/1",
            ],
        ),
        (Rtcp, ["", "x", "0", "65536", "1 IN", "1 IN IP4"]),
        (Fingerprint, ["", "sha-1", "sha-1 A", "sha-1 AB:", "sha-1 ABCD", "sha-1 GG", "AB:CD", "sha-1 " + ":".join(["00"] * 65)]),
        (
            Candidate,
            [
                *("", "1 1 UDP 1 h 9 typ", "1 1 UDP 1 h 9 tip host", "( 1 UDP 1 h 9 typ host", "1 0 UDP 1 h 9 typ host"),
                *("1 257 UDP 1 h 9 typ host", "1 1 U@P 1 h 9 typ host", "1 1 UDP 0 h 9 typ host", "1 1 UDP 2147483648 h 9 typ host"),
                *("1 1 UDP 1  9 typ host", "1 1 UDP 1 h 65536 typ host", "1 1 UDP 1 h 9 typ ", "1 1 UDP 1 h 9 typ host x"),
                *(
                    "1 1 UDP 1 h 9 typ host raddr ",
                    "1 1 UDP 1 h 9 typ host rport x",
                    "1 1 UDP 1 h 9 typ host  1",
                    "1" * 33 + " 1 UDP 1 h 9 typ host",
                ),
            ],
        ),
        (
            Crypto,
            [
                *("", "1 A", "x A inline:AAEC", "1 A-B inline:AAEC", "1 A uri:AAEC", "1 A inline:", "1 A inline:A", "1 A inline:AA=A"),
                *(
                    "1 A inline:AAEC|2^49",
                    "1 A inline:AAEC|0",
                    "1 A inline:AAEC|281474976710657",
                    "1 A inline:AAEC|1:0",
                    "1 A inline:AAEC|1:129",
                ),
                *(
                    "1 A inline:AAEC;",
                    "1 A inline:AAEC|1:1|2^20",
                    "1000000000 A inline:AAEC",
                    "1 A inline:AAEC|",
                    "1 A inline:AAEC|18446744073709551616:4",
                ),
            ],
        ),
    ],
)
def test_what_a_value_cannot_be_is_an_error(kind: Any, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(SdpError):
            kind.parse(text)
            pytest.fail(f"{kind.__name__} took {text!r}")


def test_the_next_version_is_of_the_same_session() -> None:
    origin = Origin.of("h.example", 17, 1, "alice")
    assert origin.next_version() == Origin("alice", 17, 2, "IN", "IP4", "h.example")
    assert origin.is_same_session(origin.next_version())
    assert not origin.is_same_session(Origin.of("h.example", 18, 1, "alice"))


@pytest.mark.parametrize(
    "arguments", [("h", -1, 0), ("h", 0, 2**64), ("", 0, 0), ("a b", 0, 0), ("h\r\n", 0, 0), ("h", 0, 0, "a b"), ("h", 0, 0, "")]
)
def test_no_origin_is_made_that_cannot_be_written(arguments: Any) -> None:
    with pytest.raises(ValueError):
        Origin.of(*arguments)


def test_a_connection_is_made_of_a_host() -> None:
    assert str(Connection.of("2001:db8::1")) == "IN IP6 2001:db8::1"
    assert str(Connection.of("h.example")) == "IN IP4 h.example"
    assert str(Connection.of("233.252.0.1", ttl=1, count=2)) == "IN IP4 233.252.0.1/1/2"
    assert str(Connection.of("ff00::1", count=2)) == "IN IP6 ff00::1/2"


@pytest.mark.parametrize(
    "arguments", [("",), ("a b",), ("h/1",), ("h\n",), ("::1", 1), ("h", 256), ("h", -1), ("h", 1, 0), ("h", 1, 65_536), ("h", None, 2)]
)
def test_no_connection_is_made_that_cannot_be_written(arguments: Any) -> None:
    with pytest.raises(ValueError):
        Connection.of(*arguments)


@pytest.mark.parametrize("arguments", [("AS", -1), ("AS", 2**63), ("A:S", 1), ("", 1)])
def test_no_bandwidth_is_made_that_cannot_be_written(arguments: Any) -> None:
    with pytest.raises(ValueError):
        Bandwidth.of(*arguments)


def test_static_payload_types_are_those_of_rfc3551() -> None:
    assert sorted(STATIC) == [0, *range(3, 19), 25, 26, 28, 31, 32, 33, 34]
    assert (STATIC[9].clock_rate, STATIC[10].channels, STATIC[14].clock_rate) == (8_000, 2, 90_000)
    assert [codec.is_dynamic for codec in (PCMU, G722, TELEPHONE_EVENT, OPUS)] == [False, False, True, True]


def test_parameters_are_pairs() -> None:
    assert Codec(96, "x", 8_000, fmtp="Mode = 20;annexb=no; ;flag;a=b=c").parameters == {
        "mode": "20",
        "annexb": "no",
        "flag": "",
        "a": "b=c",
    }
    assert PCMA.parameters == {}


def test_the_same_format_is_one_under_any_number_and_case() -> None:
    assert PCMU.is_same_format(Codec(96, "pcmu", 8_000, fmtp="x"))
    for other in (PCMA, Codec(0, "PCMU", 16_000), Codec(0, "PCMU", 8_000, 2), Codec(0, "PCMÜ", 8_000)):
        assert not PCMU.is_same_format(other)


def test_only_addresses_count_for_ice() -> None:
    """RFC 8839 §5.1: a candidate with a name is to be ignored."""
    candidates = [Candidate.parse(f"1 1 UDP 1 {host} 9 typ host") for host in ("192.0.2.1", "2001:db8::1", "a1b2.local")]
    assert [candidate.is_address for candidate in candidates] == [True, True, False]


def test_a_key_is_not_printed() -> None:
    crypto = Crypto.parse(f"1 A inline:{KEY_TEXT}|2^20")
    assert repr(crypto) == "Crypto(tag=1, suite='A', keys=(CryptoKey(lifetime=1048576, mki=None),), session_params=())"
