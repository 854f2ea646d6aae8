"""RFC 3261 §16.5: where requests go."""

import pytest

from ringback.server.config import RelayConfig
from ringback.server.proxy.routing import Forward
from tests.server.party import OVER_TLS, SERVER, House, simulated
from tests.server.proxy.deciding import answers, decide


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@example.com",
        "sip:bob@EXAMPLE.COM",
        "sip:b%6Fb@example.com",
        "sip:bob@example.com:5080;user=phone;x=y",
        f"sip:bob@{SERVER}",
        f"sip:bob@{SERVER}:5060;transport=udp",
        "sip:bob:secret@example.com",
    ],
)
@simulated
async def test_a_users_uri_is_canonical_before_it_is_looked_up(uri: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", uri)
        message = await bob.hears("MESSAGE")
        assert message.uri_text == bob.uri
        bob.reply(message, 200)
        await alice.hears("200 MESSAGE")


@pytest.mark.parametrize("uri", ["sip:nobody@example.com", "sip:BOB@example.com", "tel:+1-201-555-0123", f"sip:nobody@{SERVER}"])
@simulated
async def test_a_user_who_is_not_there_is_404(uri: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        for method in ("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "FROBNICATE"):
            alice.ask(method, uri)
            await alice.hears(f"404 {method}")
        assert len(house.sent) == 5


@pytest.mark.parametrize("uri", ["sip:bob@other.example", "sip:bob@192.0.2.66", "sip:192.0.2.66", f"sip:bob@{SERVER}:5070"])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "FROBNICATE"])
@simulated
async def test_domains_not_served_are_403_and_nothing_is_sent(uri: str, method: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        other = await house.party("other", "192.0.2.66")
        alice.ask(method, uri)
        await alice.hears(f"403 {method}")
        await other.hears_nothing()
        assert len(house.sent) == 1


@simulated
async def test_a_domain_that_may_be_relayed_to_gets_the_request_uri_as_its_only_target() -> None:
    async with House(relay=RelayConfig(allow=["192.0.2.66"])) as house:
        alice = await house.party("alice")
        other = await house.party("other", "192.0.2.66")
        alice.ask("MESSAGE", "sip:x@192.0.2.66;a=b")
        message = await other.hears("MESSAGE")
        assert message.uri_text == "sip:x@192.0.2.66;a=b"
        other.reply(message, 200)
        await alice.hears("200 MESSAGE")
        alice.ask("MESSAGE", "sip:x@192.0.2.67")
        await alice.hears("403 MESSAGE")
        alice.ask("MESSAGE", "sip:anybody@nowhere.example", extra="Route: <sip:192.0.2.66;lr>")
        assert (await other.hears("MESSAGE")).uri_text == "sip:anybody@nowhere.example"
        alice.ask("MESSAGE", "sip:x@192.0.2.66", extra="Route: <sip:192.0.2.67;lr>")
        await other.hears_nothing()


@pytest.mark.parametrize(
    ("uri", "extra"),
    [
        ("sip:x@192.0.2.66;maddr=192.0.2.99", ""),
        ("sip:x@192.0.2.66;maddr=192.0.2.99", "Route: <sip:192.0.2.100;lr>"),
        ("sip:x@192.0.2.66", "Route: <sip:192.0.2.66;lr;maddr=192.0.2.99>"),
        ("sip:bob@example.com;maddr=192.0.2.99", ""),
    ],
)
@simulated
async def test_maddr_leads_nowhere_that_is_not_allowed(uri: str, extra: str) -> None:
    async with House(relay=RelayConfig(allow=["192.0.2.66"])) as house:
        alice = await house.party("alice")
        canary = await house.party("canary", "192.0.2.99")
        alice.ask("MESSAGE", uri, extra=extra)
        await canary.hears_nothing()
        assert alice.kinds() in (["403 MESSAGE"], ["404 MESSAGE"])


@simulated
async def test_equal_contacts_are_one_target() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        house.bind("bob", f"SIP:bob@{bob.host}:{bob.port}", q=0.5)
        house.bind("bob", f"sip:b%6fb@{bob.host}:{bob.port}")
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 480)
        await alice.hears("480 MESSAGE")


@simulated
async def test_a_sips_request_does_not_follow_a_route_in_the_clear() -> None:
    async with House(**OVER_TLS, relay=RelayConfig(allow=["192.0.2.66"])) as house:
        alice = await house.party("alice", transport="TLS")
        other = await house.party("other", "192.0.2.66")
        alice.ask("MESSAGE", "sips:x@192.0.2.66", extra="Route: <sip:192.0.2.66;lr>")
        await other.hears_nothing()
        await alice.hears("500 MESSAGE")


@simulated
async def test_where_no_domain_is_named_each_request_is_for_who_registered_that_address() -> None:
    async with House(domains=()) as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.bind("bob", bob.uri, domain="anything.example")
        alice.ask("MESSAGE", "sip:bob@anything.example")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        alice.ask("MESSAGE", f"sip:bob@{bob.host}")
        await alice.hears("404 MESSAGE")
        await bob.hears_nothing()


# Users of ours, named by a decision.


@simulated
async def test_a_user_of_ours_is_called_at_all_phones_without_asking_the_dns() -> None:
    async with House() as house:
        alice = await house.party("alice")
        desk, mobile = await house.party("desk", q=1.0, aor="ann"), await house.party("mobile", q=0.5, aor="ann")
        bob = await house.party("bob", q=1.0)
        decide(house, Forward("sip:ann@example.com", "sip:nobody@example.com", "sip:bob@example.com", one_by_one=True, ring_for=10))
        alice.ask()
        await alice.hears("100 INVITE")
        for phone in (desk, mobile):
            invite = await phone.hears("INVITE")
            assert invite.uri_text == phone.uri
            phone.reply(invite, 486)
            await phone.hears("ACK")
        await answers(bob)
        await alice.hears("200 INVITE")


@simulated
async def test_where_no_user_of_ours_has_a_phone_nobody_is_there() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        decide(house, Forward("sip:nobody@example.com"))
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")
        decide(house, Forward("sip:nobody@example.com", else_={"unregistered": Forward("sip:bob@example.com")}))
        alice.ask("MESSAGE")
        await answers(bob, "MESSAGE")
        await alice.hears("200 MESSAGE")


@simulated
async def test_another_port_or_a_maddr_says_itself_where_to_go() -> None:
    async with House() as house:
        alice = await house.party("alice")
        voicemail = await house.party("voicemail", "192.0.2.7", port=5080)
        house.names["example.com"] = ["192.0.2.7"]
        for uri in ("sip:box@example.com:5080", "sip:box@example.com:5080;maddr=192.0.2.7"):
            decide(house, Forward(uri))
            alice.ask("MESSAGE")
            message = await voicemail.hears("MESSAGE")
            assert message.uri_text == uri
            voicemail.reply(message, 200)
            await alice.hears("200 MESSAGE")
