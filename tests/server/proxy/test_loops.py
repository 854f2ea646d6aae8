"""RFC 5393: loops end in 482, and Max-Breadth bounds how far a request spreads (RFC 3261 §16.3 item 4)."""

import pytest

from ringback.server.proxy.routing import Forward, Location, first
from tests.server.party import DOMAIN, SERVER, House, Party, proxy, simulated


def from_server_to_itself(house: House) -> list[bytes]:
    """What the proxy forwarded to itself."""
    return [passed.octets for passed in house.sent if passed.destination[0] == SERVER and not passed.octets.startswith(b"SIP/2.0")]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
@pytest.mark.parametrize("max_forwards", [70, 10])
@simulated
async def test_two_users_who_fork_to_each_other_cost_twelve_datagrams_at_most(method: str, max_forwards: int) -> None:
    async with House() as house:
        alice = await house.party("alice")
        for user in ("bob", "ann"):
            for other in ("bob", "ann"):
                house.bind(user, f"sip:{other}@{SERVER}:5060")
        sent = alice.ask(method, max_forwards=max_forwards)
        if method == "INVITE":
            await alice.hears("100 INVITE")
        response = await alice.hears(f"482 {method}")
        if method == "INVITE":
            alice.ack(sent, response)
        assert len(from_server_to_itself(house)) <= 12


@pytest.mark.parametrize("domain", [DOMAIN, SERVER])
@simulated
async def test_a_contact_that_is_the_user_itself_is_a_loop(domain: str) -> None:
    async with House() as house:
        house.names[DOMAIN] = [SERVER]
        alice = await house.party("alice")
        house.bind("bob", f"sip:bob@{domain}")
        alice.ask("MESSAGE")
        await alice.hears("482 MESSAGE")
        assert len(from_server_to_itself(house)) == 1


@simulated
async def test_a_loop_through_another_proxy_is_found() -> None:
    async with House() as house:
        alice = await house.party("alice")
        other = await house.party("other", q=1.0, aor="bob")
        alice.ask("MESSAGE")
        message = await other.hears("MESSAGE")
        back = message.copy()
        back.headers.prepend("Via", f"SIP/2.0/UDP {other.host}:5060;branch=z9hG4bKback")
        back.uri = f"sip:bob@{DOMAIN}"
        other.send(back)
        await other.hears("482 MESSAGE")
        other.reply(message, 482)
        await alice.hears("482 MESSAGE")


@simulated
async def test_a_spiral_is_no_loop() -> None:
    """The same request may pass again where it goes elsewhere this time."""
    async with House() as house:
        alice = await house.party("alice")
        ann = await house.party("ann", q=1.0)
        house.bind("bob", f"sip:ann@{SERVER}")
        alice.ask("MESSAGE")
        message = await ann.hears("MESSAGE")
        assert [via.host for via in message.vias] == [SERVER, SERVER, alice.host]
        assert message.max_forwards == 68
        ann.reply(message, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_via_of_ours_that_another_made_up_is_no_loop() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        for branch in ("z9hG4bKx-00000000", "z9hG4bK", "x"):
            alice.ask("MESSAGE", extra=f"Via: SIP/2.0/UDP {SERVER}:5060;branch={branch}")
            bob.reply(await bob.hears("MESSAGE"), 200)
            await alice.hears("200 MESSAGE")


@simulated
async def test_anothers_via_is_not_looked_into() -> None:
    """Even where its branch happens to end as ours would."""
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", call_id="one", branch="z9hG4bKone")
        first = await bob.hears("MESSAGE")
        bob.reply(first, 200)
        await alice.hears("200 MESSAGE")
        ours = str(first.via.branch)
        for sent_by, kind in ((f"{SERVER}:5070", "200"), ("192.0.2.77:5060", "200"), (f"{SERVER}:5060", "482")):
            alice.ask("MESSAGE", call_id="one", extra=f"Via: SIP/2.0/UDP {sent_by};branch={ours}")
            if kind == "200":
                bob.reply(await bob.hears("MESSAGE"), 200)
            await alice.hears(f"{kind} MESSAGE")


@simulated
async def test_a_record_routed_spiral_proves_its_dialog_through_both_entries() -> None:
    async with House() as house:
        alice = await house.party("alice")
        ann = await house.party("ann", q=1.0)
        house.bind("bob", f"sip:ann@{SERVER}")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await ann.hears("INVITE")
        assert len(invite.record_routes) == 2
        ann.reply(invite, 200)
        from tests.server.party import Dialog

        dialog = Dialog(alice, ann, invite, await alice.hears("200 INVITE"))
        for one, other in ((alice, ann), (ann, alice)):
            one.within("INFO", dialog)
            other.reply(await other.hears("INFO"), 200)
            await one.hears("200 INFO")


# Max-Breadth


async def breadths(house: House, count: int, extra: str = "", method: str = "MESSAGE") -> tuple[Party, list[Party], list[int]]:
    alice = await house.party("alice")
    phones = [await house.party(f"phone{index}", q=1.0, aor="bob") for index in range(count)]
    alice.ask(method, extra=extra)
    heard = [await phone.hears(method) for phone in phones]
    return alice, phones, [int(request.headers.text("Max-Breadth")) for request in heard]


@pytest.mark.parametrize(
    ("extra", "count", "shares"),
    [
        ("", 1, [60]),
        ("", 2, [30, 30]),
        ("", 7, [9, 9, 9, 9, 8, 8, 8]),
        ("Max-Breadth: 5", 1, [5]),
        ("Max-Breadth: 5", 2, [3, 2]),
        ("Max-Breadth: 2", 2, [1, 1]),
        ("Max-Breadth: 61", 1, [60]),
        ("Max-Breadth: 4294967295", 2, [30, 30]),
        ("Max-Breadth: much", 2, [30, 30]),
    ],
)
@simulated
async def test_max_breadth_is_divided_among_the_branches(extra: str, count: int, shares: list[int]) -> None:
    async with House() as house:
        alice, phones, got = await breadths(house, count, extra)
        assert got == shares
        for phone in phones:
            phone.reply(phone.heard[0].message, 480)  # type: ignore[arg-type]
        await alice.hears("480 MESSAGE")


@simulated
async def test_the_largest_max_breadth_is_configured() -> None:
    async with House(proxy=proxy(max_breadth=8)) as house:
        alice, [one, two], got = await breadths(house, 2, "Max-Breadth: 60")
        assert got == [4, 4]
        one.reply(one.heard[0].message, 200)  # type: ignore[arg-type]
        await alice.hears("200 MESSAGE")
        two.reply(two.heard[0].message, 200)  # type: ignore[arg-type]


@simulated
async def test_where_breadth_is_too_small_targets_wait_for_their_turn() -> None:
    async with House() as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}", q=1.0, aor="bob") for index in range(3)]
        alice.ask("MESSAGE", extra="Max-Breadth: 1")
        for phone in phones:
            # What an ended branch had is there again for the next (§5.3.3.1).
            message = await phone.hears("MESSAGE")
            assert message.headers.text("Max-Breadth") == "1"
            assert sum(len(other.heard) for other in phones) == phones.index(phone) + 1
            phone.reply(message, 480)
        await alice.hears("480 MESSAGE")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@simulated
async def test_no_breadth_left_is_440(method: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(method, extra="Max-Breadth: 0")
        await alice.hears(f"440 {method}")
        await bob.hears_nothing()


@simulated
async def test_serial_steps_have_all_of_the_breadth_each() -> None:
    async with House() as house:
        alice = await house.party("alice")
        one, two = [await house.party(f"phone{index}") for index in range(2)]
        house.server.core.determination.route = lambda request: Forward(one.uri, two.uri, one_by_one=True)
        alice.ask("MESSAGE", extra="Max-Breadth: 7")
        for phone in (one, two):
            message = await phone.hears("MESSAGE")
            assert message.headers.text("Max-Breadth") == "7"
            phone.reply(message, 480)
        await alice.hears("480 MESSAGE")


@simulated
async def test_one_request_goes_to_ten_targets_at_most() -> None:
    async with House() as house:
        alice = await house.party("alice")
        for index in range(30):
            house.bind("bob", f"sip:bob@192.0.2.{50 + index}")
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("408 INVITE")
        assert len({passed.destination for passed in house.sent if passed.octets.startswith(b"INVITE")}) == 10


@pytest.mark.parametrize("mode", ["parallel", "sequential"])
@simulated
async def test_the_attack_of_rfc5393_with_two_times_ten_contacts_stays_bounded(mode: str) -> None:
    """§3: two users, each bound ten times to the other or to himself, would cost 10^70 messages if nothing were looked at."""
    async with House() as house:
        alice = await house.party("alice")
        for user in ("bob", "ann"):
            for number in range(5):
                for other in ("bob", "ann"):
                    house.bind(user, f"sip:{other}@{SERVER}:5060;number={number}")
        sent = alice.ask(extra=f"Request-Disposition: {mode}")
        await alice.hears("100 INVITE")
        alice.ack(sent, await alice.hears("482 INVITE"))
        # Of the copies for the ten contacts each other's half is forked ten times once more, and that is all.
        assert sum(octets.startswith(b"INVITE") for octets in from_server_to_itself(house)) <= 10 + 5 * 10


@simulated
async def test_a_loop_over_decisions_ends_too() -> None:
    """`else_` begins no branch that the loop hash does not know."""
    async with House() as house:
        alice = await house.party("alice")
        house.bind("bob", f"sip:ann@{SERVER}")
        house.bind("ann", f"sip:bob@{SERVER}")
        house.server.core.determination.route = lambda request: Location(
            else_=first(Location("sip:ann@example.com"), Location("sip:bob@example.com"))
        )
        alice.ask("MESSAGE")
        await alice.hears("482 MESSAGE")
        assert 2 <= len(from_server_to_itself(house)) <= 12


@simulated
async def test_breadth_is_shared_whatever_follows() -> None:
    """RFC 5393 §5.3.3: no step, decision or redirection begins with more than came in."""
    async with House(proxy=proxy(recurse=True)) as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{number}") for number in range(4)]
        house.server.core.determination.route = lambda request: Forward(
            phones[0].uri, phones[1].uri, else_=Forward(phones[2].uri, phones[3].uri)
        )
        alice.ask("MESSAGE", extra="Max-Breadth: 4")
        seen = []
        for phone in phones[:2]:
            message = await phone.hears("MESSAGE")
            seen.append(message.headers.value("Max-Breadth"))
            phone.reply(message, 480)
        for phone in phones[2:]:
            message = await phone.hears("MESSAGE")
            seen.append(message.headers.value("Max-Breadth"))
            phone.reply(message, 480)
        await alice.hears("480 MESSAGE")
        assert seen == [2, 2, 2, 2]
