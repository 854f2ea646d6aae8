"""`ringback resolve`: what it shows of the way from a name to its servers, and how it ends."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from ringback.cli.main import main
from ringback.testing import Names
from ringback.transport.resolver.records import Naptr, Srv


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A DNS of this test's own."""
    found = Names()
    found.add(
        "example.com",
        Naptr(20, 10, "s", "SIP+D2U", "", "_sip._udp.example.com"),
        Naptr(10, 10, "s", "SIPS+D2T", "", "_sips._tcp.example.com"),
    )
    found.add(
        "_sip._udp.example.com",
        Srv(1, 30, 5060, "one.example.com"),
        Srv(1, 10, 5060, "two.example.com"),
        Srv(0, 0, 5070, "gone.example.com"),
    )
    found.add("_sips._tcp.example.com", Srv(0, 0, 5061, "one.example.com"))
    found.add("one.example.com", "192.0.2.1", "2001:db8::1")
    found.add("two.example.com", "192.0.2.2")
    found.add("6.5.4.3.2.1.0.3.9.4.e164.arpa", Naptr(1, 1, "u", "E2U+sip", r"!^(.*)$!sip:\1@example.com!", ""))
    monkeypatch.setattr("ringback.transport.resolver.NameServers", lambda *_, **__: found)
    return found


def resolve(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["resolve", *arguments])


def test_every_question_and_the_servers_in_their_order() -> None:
    result = resolve("sip:ann@example.com", "--transport", "udp")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "sip:ann@example.com",
        "  NAPTR example.com",
        '      10 10 "s" "SIPS+D2T" "" _sips._tcp.example.com  (300 s)',
        '      20 10 "s" "SIP+D2U" "" _sip._udp.example.com  (300 s)',
        "  SRV _sip._udp.example.com",
        "      0 0 5070 gone.example.com  (300 s)",
        "      1 10 5060 two.example.com  (300 s)",
        "      1 30 5060 one.example.com  (300 s)",
        "  A and AAAA gone.example.com",
        "      none",
        "  A and AAAA one.example.com",
        "      192.0.2.1  (300 s)",
        "      2001:db8::1  (300 s)",
        "  A and AAAA two.example.com",
        "      192.0.2.2  (300 s)",
        "  1. UDP [2001:db8::1]:5060  (weight 30 of 40)",
        "  2. UDP 192.0.2.1:5060  (weight 30 of 40)",
        "  3. UDP 192.0.2.2:5060  (weight 10 of 40)",
    ]


def test_a_domain_alone_and_what_its_certificate_must_say() -> None:
    result = resolve("example.com", "--ipv4-only")
    assert result.output.splitlines()[-1] == "  1. TLS 192.0.2.1:5061, certificate of example.com"
    assert "  A one.example.com" in result.output


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("ann@one.example.com:5070", "sip:ann@one.example.com:5070"),
        ("one.example.com:5070", "sip:one.example.com:5070"),
        ("[::1]:5060", "sip:[::1]:5060"),
        ("SIP:one.example.com", "SIP:one.example.com"),
    ],
)
def test_what_needs_no_scheme(uri: str, text: str) -> None:
    result = resolve(uri)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, text)


def test_a_number() -> None:
    for number in ("+4930123456", "tel:+49-30-123456"):
        result = resolve(number)
        assert (result.exit_code, result.output.splitlines()[-1]) == (0, "  1. sip:+4930123456@example.com")


def test_what_leads_nowhere_is_1() -> None:
    for uri, line in (("sip:example.net", "  it leads nowhere"), ("+4912345", "  it is no SIP URI")):
        result = resolve(uri)
        assert (result.exit_code, result.output.splitlines()[-1]) == (1, line)


def test_what_is_not_answered_is_said(names: Names) -> None:
    names.broken.add("example.com")
    result = resolve("example.com")
    assert "      not answered: the name server failed" in result.output.splitlines()
    assert result.exit_code == 0


def test_an_address_that_a_server_would_not_follow_is_marked(names: Names) -> None:
    names.add("rebound.example", "127.0.0.1")
    result = resolve("rebound.example:22", "--transport", "tcp")
    assert "      127.0.0.1  (300 s)  (never followed by a server on the network)" in result.output.splitlines()
    assert result.output.splitlines()[-1] == "  1. TCP 127.0.0.1:22"


def test_a_program_reads_json() -> None:
    told = json.loads(resolve("sips:example.com", "--json", "--ipv4-only").output)
    assert told["targets"] == [{"transport": "TLS", "host": "192.0.2.1", "port": 5061, "domain": "example.com"}]
    assert [one["kind"] for one in told["asked"]] == ["NAPTR", "SRV", "A"]
    assert json.loads(resolve("+4930123456", "--json").output)["uris"] == ["sip:+4930123456@example.com"]


def test_what_a_stranger_published_has_no_power_over_the_terminal(names: Names) -> None:
    names.add("evil.example", Naptr(1, 1, "s", "\x1b[31m", "\u202e", "x"))
    assert "\x1b" not in resolve("sip:evil.example").output
    assert r'1 1 "s" "\x1b[31m" "\u202e" x' in resolve("sip:evil.example").output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sip:"], "ringback: sip: is no SIP URI: malformed SIP URI\n"),
        (["mailto:ann@example.com"], "ringback: mailto:ann@example.com is no SIP URI: Not a SIP URI\n"),
        (["tel:123;phone-context=+49"], "ringback: 123 is no global telephone number; allowed is such as +4930123456\n"),
        (["x", "--nameserver", "dns"], "ringback: --nameserver: one of them is no name server; allowed is an address such as 192.0.2.53"),
    ],
)
def test_what_cannot_be_asked_is_2(arguments: list[str], line: str) -> None:
    result = resolve(*arguments)
    assert result.exit_code == 2
    assert line in result.output
