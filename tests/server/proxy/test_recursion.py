"""RFC 3261 §16.7 item 4: redirections followed in the caller's place."""

import pytest

from ringback.message.message import Request, Response
from ringback.server.config import RelayConfig
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.recursion import as_sip, take_contacts
from ringback.server.proxy.routing import Forward
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses

FOLLOWS = {"proxy": proxy(recurse=True), "relay": RelayConfig(allow=["192.0.2.3", "192.0.2.4", "partner.example"])}


async def redirecting(house: House, *contacts: str, status: int = 302, method: str = "INVITE") -> tuple[Party, Party]:
    """A caller, and bob who sends the call elsewhere."""
    alice, bob = await house.party("alice", "192.0.2.1"), await house.party("bob", "192.0.2.2", q=1.0)
    alice.ask(method)
    if method == "INVITE":
        await alice.hears("100 INVITE")
    request = await bob.hears(method)
    bob.reply(request, status, extra="\n".join(f"Contact: {contact}" for contact in contacts))
    if method == "INVITE":
        await bob.hears("ACK")
    return alice, bob


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@simulated
async def test_a_redirection_is_followed_where_that_is_configured(method: str) -> None:
    async with House(**FOLLOWS) as house:
        alice, _ = await redirecting(house, '"Carol" <sip:carol@192.0.2.3?Subject=x>;expires=60', method=method)
        carol = await house.party("carol", "192.0.2.3")
        request = await carol.hears(method, within=1)
        assert request.uri_text == "sip:carol@192.0.2.3"
        carol.reply(request, 200)
        await alice.hears(f"200 {method}")


@simulated
async def test_a_redirection_goes_to_the_caller_unless_a_decision_says_otherwise() -> None:
    async with House(relay=FOLLOWS["relay"]) as house:
        alice, bob = await redirecting(house, "<sip:carol@192.0.2.3>")
        assert (await alice.hears("302 INVITE")).headers.text("Contact") == "<sip:carol@192.0.2.3>"
        carol = await house.party("carol", "192.0.2.3")
        decide(house, Forward(bob.uri, recurse=True))
        alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 302, extra="Contact: <sip:carol@192.0.2.3>")
        await answers(carol)
        await alice.hears("200 INVITE")


@simulated
async def test_a_decision_may_forbid_it() -> None:
    async with House(**FOLLOWS) as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        decide(house, Forward(bob.uri, recurse=False))
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 301, extra="Contact: <sip:carol@192.0.2.3>")
        await alice.hears("301 MESSAGE")


@simulated
async def test_a_user_of_ours_is_called_at_his_phones() -> None:
    async with House(proxy=proxy(recurse=True)) as house:
        carol = await house.party("carol", "192.0.2.9", q=1.0)
        alice, _ = await redirecting(house, "<sip:carol@example.com>")
        await answers(carol)
        await alice.hears("200 INVITE")


@pytest.mark.parametrize(
    "contact",
    [
        "sip:x@192.0.2.66",
        "sip:x@192.0.2.3;maddr=192.0.2.66",
        "sip:nobody@example.com",
        "tel:+1234",
        "mailto:x@y",
        "sip:[bad",
        "sip:192.0.2.100",
    ],
)
@simulated
async def test_nobody_sends_us_where_relaying_is_not_allowed(contact: str) -> None:
    """What is not followed is the caller's to follow."""
    async with House(**FOLLOWS) as house:
        stranger = await house.party("stranger", "192.0.2.66")
        alice, _ = await redirecting(house, f"<{contact}>")
        got = await alice.hears("302 INVITE")
        assert got.headers.texts("Contact") == [f"<{contact}>"]
        await stranger.hears_nothing()


@simulated
async def test_what_is_followed_is_taken_out_of_the_response() -> None:
    async with House(**FOLLOWS) as house:
        carol = await house.party("carol", "192.0.2.3")
        alice, _ = await redirecting(house, "<sip:carol@192.0.2.3>, <sip:x@192.0.2.66>;q=0.3", "<tel:+1>")
        await refuses(carol, 486)
        # §16.7 item 6: 3xx is the lower class.
        got = await alice.hears("302 INVITE")
        assert got.headers.texts("Contact") == ["<sip:x@192.0.2.66>;q=0.3", "<tel:+1>"]


@simulated
async def test_a_redirection_followed_altogether_is_no_answer() -> None:
    async with House(**FOLLOWS) as house:
        carol = await house.party("carol", "192.0.2.3")
        alice, _ = await redirecting(house, "<sip:carol@192.0.2.3>")
        await refuses(carol, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_contacts_are_tried_by_their_q() -> None:
    async with House(**FOLLOWS) as house:
        first, second = await house.party("first", "192.0.2.3"), await house.party("second", "192.0.2.4")
        alice, _ = await redirecting(house, f"<{second.uri}>;q=0.2", f"<{first.uri}>;q=0.9")
        await second.hears_nothing()
        await refuses(first, 480)
        await answers(second)
        await alice.hears("200 INVITE")


@simulated
async def test_each_uri_is_tried_once() -> None:
    async with House(**FOLLOWS) as house:
        carol = await house.party("carol", "192.0.2.3")
        alice, bob = await redirecting(house, f"<{carol.uri}>", f"<{carol.uri}>", "<sip:bob@example.com>")
        carol.reply(await carol.hears("INVITE"), 302, extra=f"Contact: <{carol.uri}>\nContact: <{bob.uri}>")
        await carol.hears("ACK")
        await alice.hears("480 INVITE")
        await carol.hears_nothing()
        await bob.hears_nothing()


@simulated
async def test_redirections_without_end_have_one() -> None:
    async with House(proxy=proxy(recurse=True, max_branches=6), relay=FOLLOWS["relay"]) as house:
        carol = await house.party("carol", "192.0.2.3")
        invites: list[Request] = []

        def send_on(message: Request | Response) -> None:
            if isinstance(message, Request) and message.method == "INVITE":
                invites.append(message)
                number = len(invites)
                carol.reply(message, 302, extra=f"Contact: <sip:more{number}@192.0.2.3>\nContact: <sip:again{number}@192.0.2.3>")

        carol.on_message = send_on
        alice, _ = await redirecting(house, *[f"<sip:c{number}@192.0.2.3>" for number in range(3)])
        await alice.hears("302 INVITE")
        assert len(invites) == 5


@simulated
async def test_what_was_asked_for_as_sips_is_not_followed_in_the_clear() -> None:
    async with House(**FOLLOWS) as house:
        carol = await house.party("carol", "192.0.2.3")
        server = house.server.core.proxy.reach
        request = carol.request(uri="sips:bob@example.com")
        plain, secure = carol.request(uri="sip:c@partner.example").uri, carol.request(uri="sips:c@partner.example").uri
        assert server.destinations_of(plain, request) is None
        assert server.destinations_of(secure, request) == [Destination("sips:c@partner.example")]


@pytest.mark.parametrize("status", [305, 380])
@simulated
async def test_another_way_and_another_service_are_the_callers_affair(status: int) -> None:
    async with House(**FOLLOWS) as house:
        alice, _ = await redirecting(house, "<sip:carol@192.0.2.3>", status=status)
        await alice.hears(f"{status} INVITE")


@simulated
async def test_a_cancelled_call_follows_nobody() -> None:
    async with House(**FOLLOWS) as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol = await house.party("carol", "192.0.2.3")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id)
        await alice.hears("200 CANCEL")
        await bob.hears("CANCEL")
        bob.reply(invite, 302, extra=f"Contact: <{carol.uri}>")
        await alice.hears("302 INVITE")
        await carol.hears_nothing()


@simulated
async def test_it_shares_the_breadth_of_who_redirected() -> None:
    """RFC 5393 §5.3.3: all branches under way together have no more than came in."""
    async with House(**FOLLOWS) as house:
        alice = await house.party("alice")
        one, two = await house.party("one", "192.0.2.2"), await house.party("two", "192.0.2.5")
        three, four = await house.party("three", "192.0.2.3"), await house.party("four", "192.0.2.4")
        decide(house, Forward(one.uri, two.uri))
        alice.ask(extra="Max-Breadth: 3")
        await alice.hears("100 INVITE")
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        assert [first.headers.value("Max-Breadth"), second.headers.value("Max-Breadth")] == [2, 1]
        two.reply(second, 302, extra=f"Contact: <{three.uri}>\nContact: <{four.uri}>")
        third = await three.hears("INVITE")
        assert third.headers.value("Max-Breadth") == 1
        await four.hears_nothing()
        three.reply(third, 480)
        one.reply(first, 480)
        fourth = await four.hears("INVITE")
        assert fourth.headers.value("Max-Breadth") == 3
        four.reply(fourth, 200)
        await alice.hears("200 INVITE")


# A URI of a scheme nobody knew.


def test_a_number_refused_as_tel_is_tried_as_sip() -> None:
    tel = Destination("tel:+1-201;phone-context=x", ("<sip:gw.example;lr>",))
    assert as_sip(tel, "sip:bob@example.com") == tel._replace(uri="sip:+1-201;phone-context=x@gw.example;user=phone")
    assert as_sip(Destination("tel:+1"), "sips:bob@[2001:db8::1]") == Destination("sips:+1@[2001:db8::1];user=phone")
    assert as_sip(tel, "tel:+1") is None
    assert as_sip(Destination("sip:x@y"), "sip:bob@example.com") is None
    assert as_sip(Destination("tel:+1", ("<bad",)), "sip:bob@example.com") is None


@simulated
async def test_416_for_a_tel_uri_of_our_making() -> None:
    async with House() as house:
        alice, gateway = await house.party("alice"), await house.party("gateway")
        decide(house, Forward(Destination("tel:+1201", (f"<sip:{gateway.host};lr>",))))
        alice.ask()
        await alice.hears("100 INVITE")
        first = await gateway.hears("INVITE")
        assert first.uri_text == "tel:+1201"
        gateway.reply(first, 416)
        await gateway.hears("ACK")
        second = await gateway.hears("INVITE")
        assert second.uri_text == f"sip:+1201@{gateway.host};user=phone"
        gateway.reply(second, 404)
        await alice.hears("404 INVITE")


def test_contacts_that_cannot_be_read_stay() -> None:
    response = Response(302)
    for text in ("<sip:a@x>;q=none", "nonsense", "<sip:b@x>"):
        response.headers.append("Contact", text)
    assert take_contacts(response, lambda uri: [Destination(str(uri))]) == [[Destination("sip:b@x")]]
    assert response.headers.texts("Contact") == ["<sip:a@x>;q=none", "nonsense"]
    response.headers.append("Contact", "nonsense <")
    assert take_contacts(response, lambda uri: []) is None
    assert take_contacts(Response(302), lambda uri: []) is None


def test_so_many_contacts_are_looked_at() -> None:
    response = Response(302)
    for number in range(100):
        response.headers.append("Contact", f"<sip:c{number}@x>")
    asked: list[str] = []

    def leads_to(uri: object) -> list[Destination]:
        asked.append(str(uri))
        return [Destination(str(uri))]

    groups = take_contacts(response, leads_to)
    assert groups is not None
    assert len(asked) == len(groups[0]) == 20
    assert len(response.headers.texts("Contact")) == 80
