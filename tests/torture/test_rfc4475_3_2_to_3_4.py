"""RFC 4475 §3.2 to §3.4: messages whose trouble is in what they mean."""

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import AnyUri
from ringback.testing import run
from tests.torture.corpus import octets
from tests.torture.served import served


def request(file: str) -> Request:
    message = parse_datagram(octets(file))
    assert isinstance(message, Request)
    return message


def answer_to(file: str) -> Response:
    """The server's answer when nobody is registered."""

    async def main() -> Response:
        async with served() as one:
            [answer] = await one.datagrams(octets(file))
            assert isinstance(answer, Response)
            return answer

    return run(main())


def test_3_2_1_badbranch() -> None:
    assert request("badbranch").via.branch == "z9hG4bK"
    assert answer_to("badbranch").status == 404


def test_3_3_1_insuf() -> None:
    fault = parse_datagram(octets("insuf"))
    assert isinstance(fault, Malformed)
    assert fault.reason == "Missing From"


def test_3_3_2_unkscm_is_not_routed_by_its_to() -> None:
    assert isinstance(request("unkscm").uri, AnyUri)

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            [answer] = one.datagram(octets("unkscm"))
            assert isinstance(answer, Response)
            assert answer.status == 416

    run(main())


def test_3_3_3_novelsc() -> None:
    uri = request("novelsc").uri
    assert isinstance(uri, AnyUri)
    assert (uri.scheme, str(uri)) == ("soap.beep", "soap.beep://192.0.2.103:3002")


def test_3_3_4_unksm2() -> None:
    message = request("unksm2")
    assert [str(address.uri) for address in (message.to, message.from_, message.contact)] == [
        "isbn:2983792873",
        "http://www.example.com",
        "name:John_Smith",
    ]


def test_3_3_5_bext01() -> None:
    answer = answer_to("bext01")
    assert answer.status == 420
    assert answer.headers.values("Unsupported") == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]


def test_3_3_6_invut_is_any_invite_to_a_proxy() -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            trying, copy = one.datagram(octets("invut"))
            assert isinstance(trying, Response)
            assert trying.status == 100
            assert isinstance(copy, Request)
            assert copy.content_type.essence == "application/unknownformat"
            assert copy.body == request("invut").body

    run(main())


def test_3_3_7_regaut01() -> None:
    assert request("regaut01").value("Authorization").scheme == "NoOneKnowsThisScheme"
    assert answer_to("regaut01").status == 200


def test_3_3_8_multi01() -> None:
    fault = parse_datagram(octets("multi01"))
    assert isinstance(fault, Malformed)
    assert fault.reason == "Repeated From"


def test_3_3_9_mcl01() -> None:
    fault = parse_datagram(octets("mcl01"))
    assert isinstance(fault, Malformed)
    assert fault.reason == "Repeated Content-Length"
    parser = StreamParser()
    parser.feed(octets("mcl01"))
    found = parser.next_message()
    assert found is not None
    assert isinstance(found[0], Malformed)
    assert found[0].is_fatal


def test_3_3_10_bcast() -> None:
    message = parse_datagram(octets("bcast"))
    assert isinstance(message, Response)
    assert [via.host for via in message.vias] == ["192.0.2.198", "255.255.255.255"]

    async def main() -> None:
        async with served() as one:
            assert one.datagram(octets("bcast")) == []
            assert one.server.core.layer.stray_responses == 1

    run(main())


def test_3_3_11_zeromf_ends_here() -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            [answer] = one.datagram(octets("zeromf"))
            assert isinstance(answer, Response)
            assert answer.status == 200
            # Another method has no last hop to answer for it.
            [answer] = one.datagram(octets("zeromf").replace(b"OPTIONS", b"MESSAGE"))
            assert isinstance(answer, Response)
            assert answer.status == 483

    run(main())


@pytest.mark.parametrize(
    ("file", "aor", "contact"),
    [
        ("cparam01", "sip:watson@example.com", "<sip:+19725552222@gw1.example.net>;unknownparam"),
        ("cparam02", "sip:watson@example.com", "<sip:+19725552222@gw1.example.net;unknownparam>"),
        ("regescrt", "sip:user@example.com", "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"),
    ],
)
def test_3_3_12_to_14_what_was_registered_is_what_is_told(file: str, aor: str, contact: str) -> None:
    fetch = (
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.254;branch=z9hG4bKfetch\r\nMax-Forwards: 70\r\n"
        f"From: <{aor}>;tag=1\r\nTo: <{aor}>\r\nCall-ID: fetch\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )

    async def main() -> None:
        async with served() as one:
            for octets_of_it in (octets(file), fetch.encode()):
                [answer] = await one.datagrams(octets_of_it)
                assert isinstance(answer, Response)
                assert answer.status == 200
                assert (answer.headers.text("Contact") or "").rpartition(";expires=")[0] == contact

    run(main())


def test_3_3_15_sdp01_is_any_invite_to_a_proxy() -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            copy = one.datagram(octets("sdp01"))[-1]
            assert isinstance(copy, Request)
            assert copy.headers.text("Accept") == "text/nobodyKnowsThis"

    run(main())


def test_3_4_1_inv2543_is_forwarded() -> None:
    message = request("inv2543")
    assert message.via.branch is None
    assert message.from_tag is None
    assert message.max_forwards is None
    assert message.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n")

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:UserB@example.com")
            copy = one.datagram(octets("inv2543"))[-1]
            assert isinstance(copy, Request)
            assert copy.max_forwards == 70
            assert copy.headers.value("Content-Length") == len(message.body)
            assert copy.body == message.body

    run(main())


def test_3_4_1_inv2543_again_is_a_retransmission() -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:UserB@example.com")
            assert len(one.datagram(octets("inv2543"))) == 2
            assert [type(sent) for sent in one.datagram(octets("inv2543"))] == [Response]

    run(main())
