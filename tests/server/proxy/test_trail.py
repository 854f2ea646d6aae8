"""Who comes next is told whom a request was for before, and why not: History-Info (RFC 7044) and Diversion (RFC 5806)."""

import pytest

from ringback.message.message import Request, Response
from ringback.server.config import RelayConfig
from ringback.server.proxy.routing import Forward, Location
from ringback.server.proxy.trail import reason_of
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import decide

TELLS = proxy(history_info=True, diversion=True, recurse=True)


def history(message: Request | Response) -> list[str]:
    return message.headers.texts("History-Info")


def diversions(message: Request | Response) -> list[str]:
    return message.headers.texts("Diversion")


async def three(house: House, extra: str = "Supported: histinfo", uri: str = "sip:bob@example.com") -> tuple[Party, Party, Party]:
    """A caller who calls bob, who is registered, and so is carol."""
    alice = await house.party("alice")
    bob, carol = await house.party("bob", q=1.0), await house.party("carol", q=1.0)
    alice.ask(uri=uri, extra=extra)
    return alice, bob, carol


@simulated
async def test_a_call_to_a_phone() -> None:
    """RFC 7044 §5.1's figure, from bob's proxy on."""
    async with House(proxy=TELLS) as house:
        before = "History-Info: <sip:bob@example.com;p=x>;index=1\nHistory-Info: <sip:bob@example.com;p=x>;np=1;index=1.1"
        alice, bob, _ = await three(house, before, "sip:bob@example.com;p=x")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        expected = ["<sip:bob@example.com;p=x>;index=1", "<sip:bob@example.com;p=x>;np=1;index=1.1", f"<{bob.uri}>;index=1.1.1;rc=1.1"]
        assert history(invite) == expected
        assert diversions(invite) == []
        bob.reply(invite, 200)
        assert history(await alice.hears("200 INVITE")) == expected


@simulated
async def test_the_first_who_knows_of_it_speaks_for_the_hop_before() -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, _ = await three(house, "")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert history(invite) == ["<sip:bob@example.com>;index=1", f"<{bob.uri}>;index=1.1;rc=1"]
        bob.reply(invite, 180)
        # Who has not asked is not told (§9.4).
        assert history(await alice.hears("180 INVITE")) == []
        bob.reply(invite, 486)
        assert history(await alice.hears("486 INVITE")) == []


@simulated
async def test_a_gap_is_shown_as_one() -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, _ = await three(house, "History-Info: <sip:somebody@else.example>;index=1.1.2")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert history(invite)[1:] == ["<sip:bob@example.com>;index=1.1.2.0", f"<{bob.uri}>;index=1.1.2.0.1;rc=1.1.2.0"]
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_forks_are_counted_and_failures_have_reasons() -> None:
    async with House(proxy=TELLS) as house:
        alice = await house.party("alice")
        one, two = await house.party("one", q=1.0, aor="bob"), await house.party("two", q=0.5, aor="bob")
        alice.ask(extra="Supported: histinfo")
        await alice.hears("100 INVITE")
        first = await one.hears("INVITE")
        one.reply(first, 486, extra='Reason: Q.850;cause=17;text="busy"')
        await one.hears("ACK")
        second = await two.hears("INVITE")
        assert history(second) == [
            "<sip:bob@example.com>;index=1",
            f"<{one.uri}?Reason=SIP%3Bcause%3D486&Reason=Q.850%3Bcause%3D17%3Btext%3D%22busy%22>;index=1.1;rc=1",
            f"<{two.uri}>;index=1.2;rc=1",
        ]
        two.reply(second, 404)
        got = await alice.hears("486 INVITE")
        assert history(got)[2] == f"<{two.uri}?Reason=SIP%3Bcause%3D404>;index=1.2;rc=1"


@pytest.mark.parametrize(("status", "reason"), [(486, "user-busy"), (480, "no-answer"), (404, "unavailable"), (500, "unknown")])
@simulated
async def test_a_call_sent_on_to_another_user(status: int, reason: str) -> None:
    async with House(proxy=TELLS) as house:
        decide(house, Location(else_=Location("sip:carol@example.com")))
        alice, bob, carol = await three(house)
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), status)
        await bob.hears("ACK")
        invite = await carol.hears("INVITE")
        assert history(invite) == [
            "<sip:bob@example.com>;index=1",
            f"<{bob.uri}?Reason=SIP%3Bcause%3D{status}>;index=1.1;rc=1",
            "<sip:carol@example.com>;index=1.2;mp=1",
            f"<{carol.uri}>;index=1.2.1;rc=1.2",
        ]
        assert diversions(invite) == [f"<sip:bob@example.com>;reason={reason};counter=1"]
        carol.reply(invite, 200)
        assert history(await alice.hears("200 INVITE")) == history(invite)


@simulated
async def test_the_latest_diversion_stands_first() -> None:
    async with House(proxy=TELLS) as house:
        voicemail = await house.party("voicemail", "192.0.2.50")
        last = Forward("sip:box@192.0.2.50")
        decide(house, Location(ring_for=10, else_={"no_answer": Location("sip:carol@example.com", else_=last)}))
        alice, _, carol = await three(house, "Diversion: <sip:first@example.net>;reason=unconditional")
        await alice.hears("100 INVITE")
        # Silent, bob's phone is given up, and asked for nothing.
        carol.reply(await carol.hears("INVITE"), 486)
        invite = await voicemail.hears("INVITE")
        assert diversions(invite) == [
            "<sip:carol@example.com>;reason=user-busy;counter=1",
            "<sip:bob@example.com>;reason=no-answer;counter=1",
            "<sip:first@example.net>;reason=unconditional",
        ]
        assert history(invite)[-1] == "<sip:box@192.0.2.50>;index=1.3;mp=1.2"
        voicemail.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_call_forwarded_always() -> None:
    async with House(proxy=TELLS) as house:
        await house.party("carol", "192.0.2.9", q=1.0)
        bindings = house.server.location.lookup("sip:carol@example.com")
        decide(house, Forward(*bindings, diverted=[("sip:bob@example.com", "unconditional")]))
        alice = await house.party("alice")
        alice.ask()
        await alice.hears("100 INVITE")
        carol = house.parties[0]
        invite = await carol.hears("INVITE")
        assert diversions(invite) == ["<sip:bob@example.com>;reason=unconditional;counter=1"]
        assert history(invite) == [
            "<sip:bob@example.com>;index=1",
            "<sip:carol@example.com>;index=1.1;mp=1",
            f"<{carol.uri}>;index=1.1.1;rc=1.1",
        ]
        carol.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_redirection_that_is_followed() -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, carol = await three(house)
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 302, extra="Contact: <sip:carol@example.com>\nDiversion: <sip:desk@example.net>;reason=away")
        await bob.hears("ACK")
        invite = await carol.hears("INVITE")
        assert diversions(invite) == [
            "<sip:desk@example.net>;reason=away;counter=1",
            "<sip:bob@example.com>;reason=deflection;counter=1",
        ]
        assert history(invite)[1] == f"<{bob.uri}?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1"
        carol.reply(invite, 200)
        await alice.hears("200 INVITE")


@pytest.mark.parametrize("privacy", ["history", "header;history;id"])
@simulated
async def test_another_domain_learns_no_names_where_that_was_asked_for(privacy: str) -> None:
    async with House(proxy=TELLS, relay=RelayConfig(allow=["192.0.2.50"])) as house:
        other = await house.party("other", "192.0.2.50")
        decide(house, Location(else_=Forward("sip:dave@192.0.2.50")))
        alice, bob, _ = await three(house, f"Privacy: {privacy}\nSupported: histinfo")
        await alice.hears("100 INVITE")
        first = await bob.hears("INVITE")
        assert history(first)[0] == "<sip:bob@example.com>;index=1"
        assert first.headers.text("Privacy") == privacy
        bob.reply(first, 486)
        await bob.hears("ACK")
        invite = await other.hears("INVITE")
        assert history(invite)[0] == "<sip:anonymous@anonymous.invalid>;index=1"
        assert invite.headers.text("Privacy") == (None if privacy == "history" else "header;id")
        other.reply(invite, 200)
        assert history(await alice.hears("200 INVITE"))[0] == "<sip:anonymous@anonymous.invalid>;index=1"


@simulated
async def test_an_entry_that_asks_for_it_is_hidden_alone() -> None:
    async with House(proxy=TELLS, relay=RelayConfig(allow=["192.0.2.50"])) as house:
        other = await house.party("other", "192.0.2.50")
        decide(house, Forward("sip:dave@192.0.2.50"))
        before = "History-Info: <sip:secret@example.com?Privacy=history>;index=1, <sip:bob@example.com>;index=1.1"
        alice, *_ = await three(house, before)
        await alice.hears("100 INVITE")
        invite = await other.hears("INVITE")
        assert history(invite) == [
            "<sip:anonymous@anonymous.invalid>;index=1",
            "<sip:bob@example.com>;index=1.1",
            "<sip:dave@192.0.2.50>;index=1.1.1;mp=1.1",
        ]
        other.reply(invite, 486)
        await alice.hears("486 INVITE")


@pytest.mark.parametrize("value", ["<sip:x@y>;index=1.x", "<sip:x@y>", "nonsense", ", ".join(f"<sip:x@y>;index={n}" for n in range(1, 43))])
@simulated
async def test_what_has_no_order_is_left_as_it_is(value: str) -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, _ = await three(house, f"History-Info: {value}\nSupported: histinfo")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert invite.headers.line("history-info") == f"History-Info: {value}"
        bob.reply(invite, 486)
        assert history(await alice.hears("486 INVITE")) == []


@simulated
async def test_what_the_callee_adds_is_passed_on() -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, _ = await three(house)
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 200, extra="\n".join(f"History-Info: {text}" for text in [*history(invite), "<sip:inner@10.0.0.1>;index=1.1.1"]))
        assert history(await alice.hears("200 INVITE")) == [*history(invite), "<sip:inner@10.0.0.1>;index=1.1.1"]


@simulated
async def test_nothing_is_told_unless_configured() -> None:
    async with House() as house:
        decide(house, Location(else_=Location("sip:carol@example.com")))
        alice, bob, carol = await three(house)
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 486)
        invite = await carol.hears("INVITE")
        assert not {"history-info", "diversion"} & set(invite.headers.keys)
        carol.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_user_whose_name_needs_escapes() -> None:
    async with House(proxy=TELLS) as house:
        alice = await house.party("alice")
        odd = await house.party("odd", "192.0.2.7")
        house.bind("a b\r\nX: y", odd.uri)
        alice.ask(uri="sip:a%20b%0D%0AX%3A%20y@example.com", extra="Supported: histinfo")
        await alice.hears("100 INVITE")
        invite = await odd.hears("INVITE")
        assert history(invite)[0] == "<sip:a%20b%0D%0AX%3A%20y@example.com>;index=1"
        odd.reply(invite, 486)
        await alice.hears("486 INVITE")


def test_reasons() -> None:
    assert [reason_of(status) for status in (302, 486, 600, 408, 480, 430, 603)] == [
        "deflection", "user-busy", "user-busy", "no-answer", "no-answer", "unavailable", "unknown",
    ]  # fmt: skip
    assert reason_of(480, found_nobody=True) == "unavailable"
