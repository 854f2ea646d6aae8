import pytest

from ringback.message.errors import SipParseError
from ringback.message.host import ipv6, parse_host, render_host, same_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Atlanta.COM", "atlanta.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::10]", "2001:db8::10"),
        ("[::ffff:192.0.2.10]", "::ffff:192.0.2.10"),
        ("[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1"),
        ("[::]", "::"),
    ],
)
def test_a_host_is_lower_case_and_without_brackets(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize("text", ["2001:db8::10:5070:1:2:3:4:5", "1::2::3", ":::", "12345::", "::1%eth0", "::256.0.2.1", "", "abcd"])
def test_what_is_no_ipv6_address(text: str) -> None:
    with pytest.raises(SipParseError):
        ipv6(text)


def test_ipv6_addresses_are_the_same_as_numbers() -> None:
    assert same_host("2001:db8::1", "2001:db8:0:0:0:0:0:1")
    assert same_host("::ffff:192.0.2.1", "::ffff:c000:201")
    assert not same_host("2001:db8::1", "2001:db8::2")


def test_a_name_is_never_an_address() -> None:
    assert same_host("atlanta.com", "atlanta.com")
    assert not same_host("localhost", "127.0.0.1")
    assert not same_host("localhost", "::1")


def test_ipv6_is_written_in_brackets() -> None:
    assert render_host("2001:db8::1") == "[2001:db8::1]"
    assert render_host("atlanta.com") == "atlanta.com"
