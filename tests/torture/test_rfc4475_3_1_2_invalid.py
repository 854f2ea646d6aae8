"""RFC 4475 §3.1.2: invalid messages: what is refused says why, and what is let pass is not made worse."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import SipUri
from ringback.testing import run
from tests.torture.corpus import octets
from tests.torture.served import served


def malformed(file: str) -> Malformed:
    message = parse_datagram(octets(file))
    assert isinstance(message, Malformed)
    return message


def request(file: str) -> Request:
    message = parse_datagram(octets(file))
    assert isinstance(message, Request)
    return message


def test_3_1_2_1_badinv01_is_answered_by_what_can_be_read_of_its_via() -> None:
    fault = malformed("badinv01")
    assert (fault.status, fault.reason) == (400, "Malformed Via: empty element in list")
    assert fault.request is not None
    assert (fault.request.via.host, fault.request.via.params) == ("192.0.2.15", {})
    with pytest.raises(SipParseError, match="Contact"):
        _ = fault.request.contact


def test_3_1_2_2_clerr() -> None:
    assert malformed("clerr").reason == "Body Shorter than Content-Length"
    parser = StreamParser()
    parser.feed(octets("clerr"))
    assert parser.next_message() is None
    missing = 9999 - len(octets("clerr").partition(b"\r\n\r\n")[2])
    parser.feed(b"x" * (missing - 1))
    assert parser.next_message() is None
    parser.feed(b"x")
    found = parser.next_message()
    assert found is not None
    assert isinstance(found[0], Request)
    assert len(found[0].body) == 9999


@pytest.mark.parametrize("file", ["ncl", "variants/ncl.five"])
def test_3_1_2_3_ncl(file: str) -> None:
    assert malformed(file).reason == "Malformed Content-Length"
    parser = StreamParser()
    parser.feed(octets(file))
    found = parser.next_message()
    assert found is not None
    assert isinstance(found[0], Malformed)
    assert found[0].is_fatal
    assert parser.next_message() is None


def test_3_1_2_4_scalar02() -> None:
    fault = malformed("scalar02")
    assert fault.reason == "Malformed CSeq: number too large"
    assert fault.request is not None
    with pytest.raises(SipParseError):
        _ = fault.request.max_forwards
    # §10.3 step 7: what is no lifetime counts as an hour.
    assert fault.request.expires == fault.request.contact.expires == 3600


def test_3_1_2_5_scalarlg() -> None:
    fault = malformed("scalarlg")
    assert (fault.reason, fault.request) == ("Malformed CSeq: number too large", None)


@pytest.mark.parametrize("file", ["quotbal", "variants/quotbal.ambiguous"])
def test_3_1_2_6_quotbal(file: str) -> None:
    with pytest.raises(SipParseError, match="To"):
        _ = request(file).to_tag

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            [answer] = one.datagram(octets(file))
            assert isinstance(answer, Response)
            assert answer.status == 400
            # What cannot be read comes back as it went.
            assert answer.headers.text("To") == request(file).headers.text("To")

    run(main())


def test_3_1_2_7_ltgtruri() -> None:
    assert malformed("ltgtruri").reason == "Malformed Request-URI"


@pytest.mark.parametrize("file", ["lwsruri", "lwsstart", "trws", "variants/trws.text"])
def test_3_1_2_8_to_10_blanks_in_the_request_line(file: str) -> None:
    assert malformed(file).reason == "Malformed Request-Line"


def test_3_1_2_11_escruri_is_forwarded_without_its_headers() -> None:
    uri = request("escruri").uri
    assert isinstance(uri, SipUri)
    assert uri.headers == [("Route", "<sip:example.com>")]

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            copy = one.datagram(octets("escruri"))[-1]
            assert isinstance(copy, Request)
            assert copy.uri_text == "sip:user@192.0.2.9:5060"
            assert "route" not in copy.headers

    run(main())


def test_3_1_2_12_baddate_hurts_only_who_reads_it() -> None:
    with pytest.raises(SipParseError, match="Date"):
        request("baddate").value("Date")

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            copy = one.datagram(octets("baddate"))[-1]
            assert isinstance(copy, Request)
            assert copy.headers.text("Date") == "Fri, 01 Jan 2010 16:00:00 EST"

    run(main())


def test_3_1_2_13_regbadct() -> None:
    with pytest.raises(SipParseError, match="Contact"):
        _ = request("regbadct").contacts


def test_3_1_2_14_badaspec() -> None:
    message = request("badaspec")
    assert message.from_.display_name == "Bell, Alexander"
    with pytest.raises(SipParseError, match="To"):
        _ = message.to


def test_3_1_2_15_baddn() -> None:
    assert malformed("baddn").reason == "Header Fields Not Ended by an Empty Line"
    for name in ("From", "To"):
        with pytest.raises(SipParseError, match=name):
            request("variants/baddn.terminated").value(name)


def test_3_1_2_16_badvers() -> None:
    assert (malformed("badvers").status, malformed("badvers").reason) == (505, "Version Not Supported")


@pytest.mark.parametrize("file", ["mismatch01", "mismatch02"])
def test_3_1_2_17_and_18_mismatch(file: str) -> None:
    assert malformed(file).reason == "CSeq Method Differs from Request"


def test_3_1_2_19_bigcode() -> None:
    assert malformed("bigcode").request is None
