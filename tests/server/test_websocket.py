"""Phones in browsers, which nobody can connect to: they are reached down the connection they opened, or not at all (RFC 7118 §5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ringback.address import DEFAULT_PORTS
from ringback.message.message import Request
from ringback.server.config import AccessConfig, WebSocketConfig
from tests.server.party import DOMAIN, OVER_TLS, SERVER, House, Party, simulated

LISTEN = [f"udp://{SERVER}:5060", f"ws://{SERVER}", f"wss://{SERVER}"]
BOTH: dict[str, Any] = {"listen": LISTEN, "tls": OVER_TLS["tls"]}


class Page(Party):
    """A phone in a browser: it knows no address of its own."""

    scheme = "sip"

    @property
    def uri(self) -> str:
        return f"{self.scheme}:{self.name}@{self.name}.invalid;transport=ws"

    def request(self, method: str = "INVITE", uri: str = f"sip:bob@{DOMAIN}", **parts: Any) -> Request:
        request = super().request(method, uri, **parts)
        via = request.via
        request.headers.replace_first("Via", f"SIP/2.0/{self.transport} {self.name}.invalid;branch={via.branch}")
        return request


async def page(house: House, name: str, transport: str = "WS", scheme: str = "sip") -> Page:
    """A page that has registered."""
    host = f"192.0.2.{len(house.parties) + 1}"
    made = Page(house.network, name, host, DEFAULT_PORTS[transport], SERVER, transport)
    made.scheme = scheme
    house.parties.append(await made.open())
    made.ask("REGISTER", f"sip:{DOMAIN}", to=f"<{scheme}:{name}@{DOMAIN}>", contact=f"<{made.uri}>;expires=600")
    await made.hears("200 REGISTER")
    return made


@pytest.mark.parametrize("transport", ["WS", "WSS"])
@simulated
async def test_a_page_is_called_down_the_connection_it_registered_over(transport: str) -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice"), await page(house, "bob", transport)
        dialog = await house.call(alice, bob)
        assert dialog.invite.uri_text == bob.uri
        assert dialog.invite.via.transport == transport
        # Both ways within the dialog: neither side can look up where the page is.
        alice.within("INFO", dialog)
        bob.reply(await bob.hears("INFO"), 200)
        await alice.hears("200 INFO")
        bob.within("BYE", dialog, cseq=1)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_a_page_calls_and_is_hung_up_on() -> None:
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice"), await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        assert dialog.invite.via.transport == "UDP"
        assert [via.transport for via in dialog.invite.vias] == ["UDP", "WS"]
        # §5.3: where the request came from is written all the same, for whoever reads a trace.
        assert dialog.invite.vias[1].received == alice.host
        bob.within("BYE", dialog, cseq=1)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_two_pages_call_each_other() -> None:
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice", "WSS"), await page(house, "bob")
        dialog = await house.call(alice, bob)
        alice.within("BYE", dialog)
        bob.reply(await bob.hears("BYE"), 200)
        await alice.hears("200 BYE")


@simulated
async def test_a_call_to_a_page_is_cancelled() -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice"), await page(house, "bob")
        invite = alice.ask("INVITE")
        await alice.hears("100 INVITE")
        ringing = await bob.hears("INVITE")
        bob.reply(ringing, 180)
        await alice.hears("180 INVITE")
        alice.ask("CANCEL", branch=invite.via.branch, call_id=invite.call_id)
        await alice.hears("200 CANCEL")
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(ringing, 487)
        await bob.hears("ACK")
        alice.ack(invite, await alice.hears("487 INVITE"))


@simulated
async def test_a_page_that_is_closed_is_registered_no_more() -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice"), await page(house, "bob")
        assert len(house.server.location) == 1
        await bob.loses_connections()
        assert len(house.server.location) == 0
        invite = alice.ask("INVITE")
        alice.ack(invite, await alice.hears("404 INVITE"))


@simulated
async def test_a_page_that_is_closed_while_it_rings_is_away() -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice"), await page(house, "bob")
        invite = alice.ask("INVITE")
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 180)
        await alice.hears("180 INVITE")
        await bob.loses_connections()
        alice.ask("CANCEL", branch=invite.via.branch, call_id=invite.call_id)
        await alice.hears("200 CANCEL")
        alice.ack(invite, await alice.hears("487 INVITE"))


@simulated
async def test_who_talks_with_a_page_that_is_closed_learns_that_it_is_away() -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice"), await page(house, "bob")
        dialog = await house.call(alice, bob)
        await bob.loses_connections()
        alice.within("BYE", dialog)
        await alice.hears("430 BYE")


@simulated
async def test_the_answer_to_a_page_that_is_closed_goes_nowhere() -> None:
    """§5.3: where another peer's answer would go over a new connection, nobody is there to be connected to."""
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice"), await house.party("bob", q=1.0)
        alice.ask("INVITE")
        invite = await bob.hears("INVITE")
        await alice.loses_connections()
        before = len(house.sent)
        bob.reply(invite, 486)
        await bob.hears("ACK")
        assert {passed.destination[0] for passed in house.sent[before:]} == {bob.host}


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@simulated
async def test_what_a_page_says_without_content_length_has_one_when_it_goes_on(transport: str) -> None:
    async with House(**BOTH) as house:
        alice = await page(house, "alice")
        bob = await house.party("bob", transport=transport, port=5060)
        house.bind("bob", bob.uri)
        request = alice.request("MESSAGE", body="hello")
        request.headers.remove("Content-Length")
        alice.send(request)
        heard = await bob.hears("MESSAGE")
        assert (heard.headers.text("Content-Length"), heard.body) == ("5", b"hello")
        bob.reply(heard, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_an_answer_of_a_page_without_content_length_has_one_when_it_goes_over_tcp() -> None:
    async with House(**BOTH) as house:
        alice, bob = await house.party("alice", transport="TCP", port=5060), await page(house, "bob")
        alice.ask("MESSAGE")
        heard = await bob.hears("MESSAGE")
        flow = bob.heard[-1].flow
        head = heard.to_bytes().partition(b"\r\n")[2].replace(b"Content-Length: 0\r\n", b"")
        bob.transports.send(b"SIP/2.0 200 OK\r\n" + head, flow)
        assert (await alice.hears("200 MESSAGE")).headers.text("Content-Length") == "0"


@simulated
async def test_a_page_is_asked_for_md5_last() -> None:
    """RFC 8760 §2.3 gives the order; the stacks of browsers know MD5 alone and keep the last challenge."""
    for algorithms in (["SHA-256", "MD5"], ["MD5", "SHA-256"]):
        async with House(**BOTH, auth="digest", access=AccessConfig(algorithms=algorithms)) as house:
            alice = Page(house.network, "alice", "192.0.2.1", 80, SERVER, "WS")
            house.parties.append(await alice.open())
            alice.ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>")
            refused = await alice.hears("401 REGISTER")
            assert ["MD5" in value for value in refused.headers.texts("WWW-Authenticate")] == [False, True]


@simulated
async def test_pings_of_sip_keep_the_connection() -> None:
    async with House(**BOTH) as house:
        bob = await page(house, "bob")
        bob.send(b"\r\n\r\n")
        await bob.hears_nothing()
        assert house.server.transports.counts.keepalives == 1
        assert house.server.counts.malformed == 0


@simulated
async def test_nothing_is_said_twice_over_a_connection() -> None:
    """§5: timers are those of reliable transports, so that timer A repeats nothing and timer F alone ends the wait."""
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice"), await page(house, "bob")
        alice.ask("MESSAGE")
        await bob.hears("MESSAGE")
        await bob.hears_nothing(40)
        # RFC 4320 §4.2: nobody says that a request other than INVITE timed out.
        assert alice.kinds() == ["100 MESSAGE"]


@simulated
async def test_what_is_asked_for_as_sips_reaches_a_page_over_wss() -> None:
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice", "WSS"), await page(house, "bob", "WSS", scheme="sips")
        alice.ask("MESSAGE", f"sips:bob@{DOMAIN}")
        heard = await bob.hears("MESSAGE")
        assert heard.via.transport == "WSS"
        bob.reply(heard, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_what_is_asked_for_as_sips_reaches_no_page_over_ws() -> None:
    async with House(**BOTH) as house:
        alice, bob = await page(house, "alice", "WSS"), await page(house, "bob", "WS")
        alice.ask("MESSAGE", f"sips:bob@{DOMAIN}")
        await alice.hears("480 MESSAGE")
        carol = await page(house, "carol", "WS")
        carol.ask("MESSAGE", f"sips:bob@{DOMAIN}")
        assert (await carol.hears("403 MESSAGE")).reason == "SIPS Over TLS Only"
        await bob.hears_nothing()


@simulated
async def test_who_may_connect_is_read_again() -> None:
    async with House(**BOTH, websocket=WebSocketConfig(path="/ws")) as house:
        alice = Page(house.network, "alice", "192.0.2.1", 80, SERVER, "WS")
        house.parties.append(await alice.open())
        alice.ask("OPTIONS", f"sip:{DOMAIN}")
        await alice.hears_nothing()
        config = msgspec.structs.replace(house.server.config, websocket=WebSocketConfig())
        house.server.reread = lambda: config
        assert house.server.reload().changed == ("websocket.path",)
        alice.ask("OPTIONS", f"sip:{DOMAIN}")
        await alice.hears("200 OPTIONS")
