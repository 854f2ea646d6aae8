"""RFC 3261 §16.3: what a request must be before it is forwarded, and what it need not be."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.parser import parse_datagram
from ringback.server.proxy.validation import fault_of, loop_hash
from tests.server.party import House, simulated


@pytest.mark.parametrize(
    ("parts", "status", "says"),
    [
        ({"max_forwards": 0}, 483, ""),
        ({"uri": "mailto:bob@example.com"}, 416, ""),
        ({"uri": "urn:service:sos"}, 416, ""),
        ({"extra": "Proxy-Require: foo, sec-agree\nProxy-Require: bar"}, 420, "Unsupported: foo, sec-agree, bar"),
        ({"uri": "sip:bob@exa mple.com".replace(" ", "%20")}, 400, "Malformed Request-URI"),
        ({"uri": "sip:bob@example.com:99999"}, 400, "Malformed Request-URI"),
        ({"to": "no address at all"}, 400, "Malformed To"),
        ({"extra": "Route: sip:no-brackets <"}, 400, "Malformed Route"),
        ({"extra": "Route: <sip:a@b"}, 400, "Malformed Route"),
        ({"extra": "Proxy-Require: ,;,"}, 400, "Malformed Proxy-Require"),
        ({"to": "<sip:bob@example.com>;tag=invented"}, 481, ""),
    ],
    ids=lambda value: str(value)[:60],
)
@simulated
async def test_a_request_that_fails_a_check_is_answered_and_goes_nowhere(parts: dict[str, object], status: int, says: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(**parts)
        response = await alice.hears(f"{status} INVITE")
        assert says in str(response)
        assert "to" in parts or response.to_tag
        await bob.hears_nothing()
        assert len(house.sent) == 1


@pytest.mark.parametrize("value", ["70,5", "-1", "x", "99999999999", "1 2"])
@simulated
async def test_malformed_max_forwards_is_400(value: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask(max_forwards=None, extra=f"Max-Forwards: {value}")
        assert "Max-Forwards" in (await alice.hears("400 INVITE")).reason


def test_each_fault_has_its_status_in_the_order_of_the_section() -> None:
    def fault(extra: str = "", scheme: str = "sip") -> int | None:
        request = parse_datagram(
            f"INVITE {scheme}:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
            f"Call-ID: c\r\nCSeq: 1 INVITE\r\n{extra}\r\n".encode()
        )
        reject = fault_of(request, scheme)  # type: ignore[arg-type]
        return None if reject is None else reject.status

    assert fault() is None
    assert fault("Max-Forwards: 1\r\n") is None
    assert fault("Max-Forwards: 0\r\n", "mailto") == 483
    assert fault("Proxy-Require: a\r\n", "mailto") == 416
    assert fault("Proxy-Require: a\r\n") == 420
    assert [fault(scheme=scheme) for scheme in ("sip", "sips", "tel", "im")] == [None, None, None, 416]


@simulated
async def test_options_that_may_go_no_further_is_answered_here() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("OPTIONS", max_forwards=0)
        assert (await alice.hears("200 OPTIONS")).headers.text("Allow")
        alice.ask("MESSAGE", max_forwards=0)
        await alice.hears("483 MESSAGE")
        await bob.hears_nothing()


UNTOUCHED = (
    "Subject: \t \u00fcber = 1;;\n"
    "Contact: <<<not a contact\n"
    "Date: yesterday, or so\n"
    "Expires: soon\n"
    "Authorization: Digest =,=\n"
    "Accept: \x07/\n"
    "X-Unknown:   spaces  kept   \n"
    "s: the compact one\n"
    "Record-Route: <sip:other proxy>>;\n"
    "Warning: 999 \udcff\udcfe\n"
    "Organization: folded\n\t here\n"
    "Timestamp: NaN"
)


@simulated
async def test_malformed_fields_nobody_needs_and_unknown_methods_pass_as_they_are() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.request("FROBNICATE")
        octets = sent.to_bytes().replace(b"Call-ID", UNTOUCHED.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\nCall-ID")
        alice.send(octets)
        got = await bob.hears("FROBNICATE")
        wire = next(passed.octets for passed in house.network.log if passed.destination[0] == bob.host)
        for line in UNTOUCHED.replace("\n\t", "\r\n\t").replace("\r\n\t", "\x00").split("\n"):
            assert line.replace("\x00", "\r\n\t").encode("utf-8", "surrogateescape") + b"\r\n" in wire, line
        bob.reply(got, 200)
        await alice.hears("200 FROBNICATE")


@simulated
async def test_merged_requests_are_no_fault() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        for branch in ("z9hG4bKone", "z9hG4bKother"):
            alice.ask("MESSAGE", branch=branch, call_id="the same")
        for message in (await bob.hears("MESSAGE"), await bob.hears("MESSAGE")):
            bob.reply(message, 200)
        assert await alice.hears("200 MESSAGE")
        assert await alice.hears("200 MESSAGE")


def test_the_loop_hash_depends_on_what_routes_and_not_on_the_method() -> None:
    def hash_of(method: str = "INVITE", aor: str = "sip:bob@example.com", extra: str = "", cseq: int = 1, call_id: str = "c") -> str:
        request = parse_datagram(
            f"{method} {aor} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}\r\n".encode()
        )
        return loop_hash(request, aor)  # type: ignore[arg-type]

    same = hash_of()
    assert hash_of("CANCEL") == hash_of("ACK") == same
    assert hash_of(extra="Subject: x\r\nMax-Forwards: 3\r\n") == same
    others = [
        hash_of(aor="sip:ann@example.com"),
        hash_of(extra="Route: <sip:p;lr>\r\n"),
        hash_of(extra="Route: <sip:q;lr>\r\n"),
        hash_of(extra="Proxy-Require: a\r\n"),
        hash_of(extra='Proxy-Authorization: Digest username="a"\r\n'),
        hash_of(cseq=2),
        hash_of(call_id="d"),
    ]
    assert len({same, *others}) == 8


def test_the_hash_of_a_route_that_does_not_parse_says_which_field() -> None:
    request = parse_datagram(
        b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        b'Call-ID: c\r\nCSeq: 1 INVITE\r\nRoute: "unbalanced <sip:a>\r\n\r\n'
    )
    with pytest.raises(SipParseError) as error:
        loop_hash(request, "sip:b@h")  # type: ignore[arg-type]
    assert error.value.field == "Route"
