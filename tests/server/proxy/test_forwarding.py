"""RFC 3261 §16.6: what the next hop receives."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.server.config import RelayConfig
from ringback.server.proxy.forwarding import forwarded, may_begin_dialog, next_hop, request_uri
from tests.server.party import SERVER, House, Party, proxy, simulated

HEAD = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "X-First: 1\r\n"
    "v:SIP/2.0/UDP   192.0.2.1 : 5060 ;branch=z9hG4bKa , SIP/2.0/TCP far;branch=z9hG4bKb\r\n"
    "Via: SIP/2.0/UDP farther;branch=z9hG4bKc\r\n"
    "Max-Forwards:   9\r\n"
    "t : <sip:bob@example.com>\r\n"
    "f:  Al \r\n\t<sip:alice@example.com>;tag=1\r\n"
    "X-Last:\r\n"
    "x-first: \xff\xfe 2\r\n"
    "i:  c@d\r\n"
    "CSeq: 1\tINVITE\r\n"
    "{extra}"
    "l: 4\r\n"
    "\r\n"
    "body"
).replace("\xff\xfe", "\udcff\udcfe")


def read(octets: bytes) -> Request:
    parsed = parse_datagram(octets)
    assert isinstance(parsed, Request), parsed
    return parsed


def head(extra: str = "") -> Request:
    return read(HEAD.replace("{extra}", extra).encode("utf-8", "surrogateescape"))


def lines_of(octets: bytes) -> list[str]:
    return octets.decode("utf-8", "surrogateescape").partition("\r\n\r\n")[0].split("\r\n")


def test_every_line_stays_as_it_is_and_where_it_is() -> None:
    request = head()
    octets = forwarded(request, "sip:bob@192.0.2.2", 60, ["Record-Route: <sip:us;lr>"], "SIP/2.0/UDP us;branch=z9hG4bKx")
    assert lines_of(octets) == [
        "INVITE sip:bob@192.0.2.2 SIP/2.0",
        "X-First: 1",
        "Via: SIP/2.0/UDP us;branch=z9hG4bKx",
        "v:SIP/2.0/UDP   192.0.2.1 : 5060 ;branch=z9hG4bKa , SIP/2.0/TCP far;branch=z9hG4bKb",
        "Via: SIP/2.0/UDP farther;branch=z9hG4bKc",
        "Record-Route: <sip:us;lr>",
        "Max-Forwards: 8",
        "t : <sip:bob@example.com>",
        "f:  Al ",
        "\t<sip:alice@example.com>;tag=1",
        "X-Last:",
        "x-first: \udcff\udcfe 2",
        "i:  c@d",
        "CSeq: 1\tINVITE",
        "l: 4",
        "Max-Breadth: 60",
    ]
    assert octets.endswith(b"\r\n\r\nbody")


def test_the_request_itself_stays_as_it_was() -> None:
    request = head()
    before = request.to_bytes()
    forwarded(request, "sip:bob@192.0.2.2", 60, ["Record-Route: <sip:us;lr>"], "SIP/2.0/UDP us;branch=z9hG4bKx")
    assert request.to_bytes() == before


def test_what_is_missing_is_added() -> None:
    request = read(
        b"MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n"
        b"CSeq: 1 MESSAGE\r\n\r\nhello"
    )
    got = read(forwarded(request, "sip:b@h", 7, (), "SIP/2.0/UDP us;branch=z9hG4bKx"))
    assert (got.max_forwards, got.headers.text("Content-Length"), got.headers.text("Max-Breadth"), got.body) == (70, "5", "7", b"hello")
    assert "Record-Route" not in got.headers


@pytest.mark.parametrize(
    "extra",
    [
        "Record-Route: <sip:first;lr>\r\nRecord-Route: <sip:second;lr>\r\n",
        "Record-Route: <sip:first;lr>, <sip:second;lr>\r\nRoute: <sip:x;lr>\r\n",
    ],
)
def test_our_record_route_stands_above_all_others(extra: str) -> None:
    got = read(forwarded(head(extra), "sip:b@h", 60, ["Record-Route: <sip:us;lr>"], "SIP/2.0/UDP us;branch=z9hG4bKx"))
    assert got.headers.texts("Record-Route") == ["<sip:us;lr>", "<sip:first;lr>", "<sip:second;lr>"]


@pytest.mark.parametrize("extra", ["Max-Breadth: 30\r\n", "Max-Breadth: 1\r\nX-Between: x\r\nmax-breadth: 70\r\n", "Max-Breadth: 1, 2\r\n"])
def test_max_breadth_stands_once(extra: str) -> None:
    octets = forwarded(head(extra), "sip:b@h", 15, ["Record-Route: <sip:us;lr>"], "SIP/2.0/UDP us;branch=z9hG4bKx")
    got = read(octets)
    assert got.headers.texts("Max-Breadth") == ["15"]
    assert got.headers.texts("Record-Route") == ["<sip:us;lr>"]
    assert str(got.via) == "SIP/2.0/UDP us;branch=z9hG4bKx"
    assert ("X-Between" in got.headers) == ("X-Between" in extra)


def test_a_loose_router_is_the_next_hop() -> None:
    request = head("Route: <sip:p1;lr>\r\nRoute: <sip:p2>\r\n")
    copy, uri, hop = next_hop(request, "sip:bob@192.0.2.2")
    assert (uri, hop) == ("sip:bob@192.0.2.2", "sip:p1;lr")
    assert copy.headers.texts("Route") == ["<sip:p1;lr>", "<sip:p2>"]


def test_a_strict_router_gets_itself_as_request_uri() -> None:
    request = head("Route: <sip:p1;x=y>, <sip:p2;lr>\r\n")
    copy, uri, hop = next_hop(request, "sip:bob@192.0.2.2")
    assert uri == hop == "sip:p1;x=y"
    assert copy.headers.texts("Route") == ["<sip:p2;lr>", "<sip:bob@192.0.2.2>"]
    assert request.headers.texts("Route") == ["<sip:p1;x=y>", "<sip:p2;lr>"]


def test_without_route_the_request_uri_is_the_next_hop() -> None:
    request = head()
    assert next_hop(request, "sip:bob@192.0.2.2") == (request, "sip:bob@192.0.2.2", "sip:bob@192.0.2.2")


def test_a_sips_request_makes_its_next_hop_sips() -> None:
    request = head("Route: <sip:p1;lr>\r\n")
    assert next_hop(request, "sips:bob@192.0.2.2")[2] == "sips:p1;lr"
    assert next_hop(head("Route: <sips:p1;lr>\r\n"), "sip:bob@192.0.2.2")[2] == "sips:p1;lr"


def test_a_route_must_be_a_sip_uri() -> None:
    with pytest.raises(SipParseError, match="SIP"):
        next_hop(head("Route: <tel:+1>\r\n"), "sip:b@h")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sip:bob@h;transport=tcp;lr", "sip:bob@h;transport=tcp;lr"),
        ("sip:bob@h?Subject=x&Route=%3Csip:evil%3E", "sip:bob@h"),
        ("sip:bob@h;method=BYE", "sip:bob@h"),
        ("sip:bob@h;METHOD=BYE;x=y?a=b", "sip:bob@h;x=y"),
        ("sip:method=@h", "sip:method=@h"),
        ("tel:+1", "tel:+1"),
    ],
)
def test_a_request_uri_holds_no_header_fields_and_no_method(text: str, clean: str) -> None:
    assert request_uri(text) == clean


def test_methods_that_may_begin_a_dialog() -> None:
    assert all(map(may_begin_dialog, ("INVITE", "SUBSCRIBE", "REFER", "FROBNICATE")))
    assert not any(map(may_begin_dialog, ("ACK", "BYE", "CANCEL", "INFO", "MESSAGE", "OPTIONS", "PRACK", "REGISTER", "UPDATE", "PUBLISH")))


# And through the whole server.


@simulated
async def test_the_copy_that_leaves() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.bind("bob", f"sip:bob@{bob.host}:{bob.port};method=BYE;x=y?Subject=no")
        sent = alice.ask("INVITE", extra="Record-Route: <sip:before.example;lr>\nX-Odd:  y ", body="v=0\r\n")
        got = await bob.hears("INVITE")
        assert got.uri_text == f"sip:bob@{bob.host}:{bob.port};x=y"
        assert got.max_forwards == 69
        ours, theirs = got.vias
        assert (ours.host, ours.port, ours.transport) == (SERVER, 5060, "UDP")
        assert str(theirs) == str(sent.via)
        assert ours.branch.startswith("z9hG4bK") and len(ours.branch) > 7 + 16
        first, second = got.headers.texts("Record-Route")
        assert first.startswith(f"<sip:{SERVER}:5060;lr;proof=")
        assert second == "<sip:before.example;lr>"
        assert got.body == b"v=0\r\n"
        assert "X-Odd:  y \r\n" in str(got)
        bob.reply(got, 486)
        await alice.hears("100 INVITE")
        await alice.hears("486 INVITE")
        alice.ack(sent, alice.heard[-1].message)  # type: ignore[arg-type]
        ack = await bob.hears("ACK")
        assert (ack.via.branch, ack.uri_text) == (ours.branch, got.uri_text)


@pytest.mark.parametrize(
    ("method", "stays"), [("SUBSCRIBE", True), ("REFER", True), ("FROBNICATE", True), ("MESSAGE", False), ("OPTIONS", False)]
)
@simulated
async def test_record_route_is_for_what_may_begin_a_dialog(method: str, stays: bool) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(method)
        got = await bob.hears(method)
        assert ("Record-Route" in got.headers) == stays
        bob.reply(got, 200)
        await alice.hears(f"200 {method}")


@simulated
async def test_a_proxy_told_not_to_stay_adds_no_record_route() -> None:
    async with House(proxy=proxy(record_route=False)) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        got = await bob.hears("INVITE")
        assert "Record-Route" not in got.headers
        await alice.hears("100 INVITE")
        bob.reply(got, 603)
        alice.ack(sent, await alice.hears("603 INVITE"))


@simulated
async def test_an_in_dialog_request_that_refreshes_its_target_is_record_routed_again() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        alice.within("INVITE", dialog)
        await alice.hears("100 INVITE")
        again = await bob.hears("INVITE")
        assert again.headers.texts("Record-Route") == dialog.invite.headers.texts("Record-Route")
        bob.reply(again, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_strict_router_on_the_way_is_obeyed() -> None:
    async with House(relay=RelayConfig(allow=["192.0.2.66"])) as house:
        alice = await house.party("alice")
        strict = await house.party("strict", "192.0.2.66")
        alice.ask("MESSAGE", "sip:bob@example.com", extra="Route: <sip:192.0.2.66;x>, <sip:beyond.example;lr>")
        got = await strict.hears("MESSAGE")
        assert got.uri_text == "sip:192.0.2.66;x"
        assert got.headers.texts("Route") == ["<sip:beyond.example;lr>", "<sip:bob@example.com>"]
        strict.reply(got, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_target_over_tcp_is_reached_over_tcp_and_keeps_its_record_route_usable() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.bind("bob", f"{bob.uri};transport=tcp")
        alice.ask("MESSAGE", body="hello")
        got = await bob.hears("MESSAGE")
        assert got.via.transport == "TCP"
        assert got.headers.text("Content-Length") == "5"
        bob.reply(got, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_request_too_large_for_udp_goes_over_tcp() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", body="x" * 1400)
        got = await bob.hears("MESSAGE")
        assert (got.via.transport, len(got.body)) == ("TCP", 1400)
        bob.reply(got, 200)
        await alice.hears("200 MESSAGE")


async def _octets_for(house: House, party: Party, count: int) -> list[Request]:
    return [await party.hears("MESSAGE") for _ in range(count)]


@simulated
async def test_each_branch_is_its_own() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        house.bind("bob", f"sip:bob2@{bob.host}")
        alice.ask("MESSAGE", cseq=1)
        first = await _octets_for(house, bob, 2)
        alice.ask("MESSAGE", cseq=2)
        second = await _octets_for(house, bob, 2)
        branches = [str(request.via.branch) for request in first + second]
        assert len(set(branches)) == 4
        # The second part is what detects loops: the same for all branches of one request, another for another transaction.
        assert branches[0][-9:] == branches[1][-9:] != branches[2][-9:]
        for request in first + second:
            bob.reply(request, 480)
        await alice.hears("480 MESSAGE")
        await alice.hears("480 MESSAGE")
