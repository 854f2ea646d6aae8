"""What is asked for as sips goes over TLS from end to end, or not at all (RFC 3261 §16.6, §26.2.2; RFC 5630)."""

from __future__ import annotations

import functools

import msgspec
import pytest

from ringback.server.config import AccessConfig, RelayConfig
from ringback.testing import Network
from tests.server.party import DOMAIN, OVER_TLS, SERVER, House, simulated

house = functools.partial(House, **OVER_TLS)


@simulated
async def test_a_sips_call_is_tls_from_end_to_end_and_every_record_route_says_so() -> None:
    async with house() as it:
        alice = await it.party("alice", transport="TLS")
        bob = await it.party("bob", transport="TLS")
        it.bind("bob", f"sips:bob@{bob.host}:5061")
        dialog = await it.call(alice, bob, "sips:bob@example.com")
        assert dialog.invite.uri_text == f"sips:bob@{bob.host}:5061"
        [route] = dialog.invite.headers.texts("Record-Route")
        assert route.startswith(f"<sips:{SERVER}:5061;lr;")
        bob.within("BYE", dialog)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")
        assert {passed.transport for passed in it.network.log} == {"TLS"}


@simulated
async def test_a_call_may_go_from_udp_to_tls_where_nobody_asked_for_sips() -> None:
    async with house() as it:
        alice = await it.party("alice")
        bob = await it.party("bob", q=1.0, transport="TLS")
        dialog = await it.call(alice, bob)
        routes = [text.partition(";")[0] for text in dialog.invite.headers.texts("Record-Route")]
        assert routes == [f"<sip:{SERVER}:5061", f"<sip:{SERVER}:5060"]
        bob.within("BYE", dialog)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
def test_a_sips_request_that_came_in_the_clear_is_refused(method: str, transport: str) -> None:
    @simulated
    async def scene() -> None:
        async with house() as it:
            alice = await it.party("alice")
            bob = await it.party("bob", q=1.0)
            request = alice.ask(method, "sips:bob@example.com" if method == "INVITE" else "sips:example.com", transport=transport)
            response = await alice.hears(f"403 {method}")
            assert response.reason == "SIPS Over TLS Only"
            if method == "INVITE":
                alice.ack(request, response)
            await bob.hears_nothing()

    scene()


@simulated
async def test_a_server_without_tls_does_not_know_what_sips_is() -> None:
    """§16.3 item 2: a scheme that it cannot serve."""
    async with House() as it:
        alice = await it.party("alice")
        for uri in ("sips:bob@example.com", "sips:bob@elsewhere.example", "sips:example.com"):
            alice.ask("MESSAGE", uri)
            await alice.hears("416 MESSAGE")


@simulated
async def test_a_user_whose_phones_are_not_secure_is_not_there_for_sips() -> None:
    async with house() as it:
        alice = await it.party("alice", transport="TLS")
        bob = await it.party("bob", q=1.0)
        alice.ask("MESSAGE", "sips:bob@example.com")
        response = await alice.hears("480 MESSAGE")
        assert response.headers.text("Warning") == '380 example.com "SIPS Not Allowed"'
        alice.ask("MESSAGE", "sips:nobody@example.com")
        await alice.hears("404 MESSAGE")
        alice.ask("MESSAGE", "sip:bob@example.com")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@pytest.mark.parametrize(
    "target",
    [
        "sips:bob@192.0.2.9",
        "sips:bob@192.0.2.9:5060",
        "sips:bob@192.0.2.9;transport=udp",
        "sips:bob@192.0.2.9:5060;transport=tcp",
        "sips:bob@example.net",
        "sips:bob@192.0.2.9;maddr=192.0.2.9",
        "sip:bob@192.0.2.9;transport=tls",
        "sip:bob@192.0.2.9:5060;transport=TLS",
    ],
)
def test_where_there_is_no_tls_what_asks_for_it_leads_nowhere(target: str) -> None:
    """The other server speaks UDP and TCP alone, on the port that the URI names as well; nothing is ever sent to it."""

    @simulated
    async def scene() -> None:
        async with house(relay=RelayConfig(allow=["192.0.2.9", "example.net"])) as it:
            it.names["example.net"] = ["192.0.2.9"]
            alice = await it.party("alice", transport="TLS")
            other = await it.party("other", "192.0.2.9")
            alice.ask("MESSAGE", target)
            await alice.hears("500 MESSAGE")
            await other.hears_nothing()
            assert {passed.transport for passed in it.sent} == {"TLS"}

    scene()


@simulated
async def test_a_server_without_tls_of_its_own_sends_nothing_to_a_sips_uri() -> None:
    async with House(relay=RelayConfig(allow=["192.0.2.9"])) as it:
        alice = await it.party("alice")
        other = await it.party("other", "192.0.2.9")
        it.bind("bob", "sips:bob@192.0.2.9:5060")
        alice.ask("MESSAGE", "sip:bob@example.com")
        await alice.hears("500 MESSAGE")
        await other.hears_nothing()


@simulated
async def test_the_next_hop_of_a_sips_request_has_to_be_its_domain() -> None:
    network = Network()
    network.certificates["192.0.2.9"] = ["example.org"]
    async with house(network, relay=RelayConfig(allow=["example.net", "example.org"])) as it:
        it.names["example.net"] = it.names["example.org"] = ["192.0.2.9"]
        alice = await it.party("alice", transport="TLS")
        other = await it.party("other", "192.0.2.9", transport="TLS")
        alice.ask("MESSAGE", "sips:bob@example.net")
        await alice.hears("500 MESSAGE")
        await other.hears_nothing()
        alice.ask("MESSAGE", "sips:bob@example.org")
        other.reply(await other.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        # The connection that is open now is example.org's, and no more example.net's than before.
        alice.ask("MESSAGE", "sips:bob@example.net")
        await alice.hears("500 MESSAGE")


@simulated
async def test_a_phone_that_registered_over_tls_is_called_over_the_connection_it_made() -> None:
    async with house(auth="none") as it:
        phone = await it.party("bob", "192.0.2.7", transport="TLS")
        alice = await it.party("alice", q=1.0)
        phone.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{phone.uri}>")
        await phone.hears("200 REGISTER")
        # Nobody can connect to it: what comes, comes over its own connection.
        listener = it.network.listeners.pop(("192.0.2.7", 5061))
        dialog = await it.call(alice, phone)
        alice.within("BYE", dialog)
        phone.reply(await phone.hears("BYE"), 200)
        await alice.hears("200 BYE")
        dialog = await it.call(phone, alice, f"sip:alice@{DOMAIN}")
        alice.within("BYE", dialog)
        phone.reply(await phone.hears("BYE"), 200)
        await alice.hears("200 BYE")
        it.network.listeners["192.0.2.7", 5061] = listener


@pytest.mark.parametrize(
    ("certificate", "from_", "answer"),
    [
        (["partner.example"], "sip:carol@partner.example", "200"),
        (["PARTNER.example", "other.example"], "sip:carol@partner.EXAMPLE", "200"),
        (["other.example"], "sip:carol@partner.example", "403"),
        (["other.example"], "sip:carol@other.example", "403"),
        (["*.example"], "sip:carol@partner.example", "403"),
        (None, "sip:carol@partner.example", "403"),
        (["partner.example"], "sip:alice@example.com", "407"),
    ],
)
def test_servers_of_peers_prove_their_domain_by_their_certificate(certificate: list[str] | None, from_: str, answer: str) -> None:
    """RFC 3261 §26.3.2.2: the domain of From is compared with that of the connection, and only domains that may call here do."""

    @simulated
    async def scene() -> None:
        network = Network()
        if certificate is not None:
            network.certificates["192.0.2.9"] = [name.lower() for name in certificate]
        async with house(network, auth="digest", access=AccessConfig(peers=["Partner.example"])) as it:
            partner = await it.party("carol", "192.0.2.9", transport="TLS")
            bob = await it.party("bob", q=1.0)
            partner.ask("MESSAGE", "sip:bob@example.com", from_=f"<{from_}>;tag=1")
            if answer == "200":
                bob.reply(await bob.hears("MESSAGE"), 200)
            await partner.hears(f"{answer} MESSAGE")
            await bob.hears_nothing()

    scene()


@simulated
async def test_a_peer_that_a_reload_takes_off_the_list_may_call_no_more() -> None:
    network = Network()
    network.certificates["192.0.2.9"] = ["partner.example"]
    async with house(network, auth="digest", access=AccessConfig(peers=["partner.example"])) as it:
        partner = await it.party("carol", "192.0.2.9", transport="TLS")
        bob = await it.party("bob", q=1.0)
        partner.ask("MESSAGE", "sip:bob@example.com", from_="<sip:carol@partner.example>;tag=1")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await partner.hears("200 MESSAGE")
        fewer = msgspec.structs.replace(it.server.config, access=AccessConfig())
        it.server.reread = lambda: fewer
        assert it.server.reload().changed == ("access.peers",)
        partner.ask("MESSAGE", "sip:bob@example.com", from_="<sip:carol@partner.example>;tag=2")
        await partner.hears("403 MESSAGE")
        await bob.hears_nothing()
