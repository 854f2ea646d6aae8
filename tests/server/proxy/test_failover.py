"""From one server to the next (RFC 3263 §4.3), and from one flow of a phone to its next (RFC 5626 §7)."""

import asyncio
from collections.abc import Callable

import pytest

from ringback.message.message import Response
from ringback.server.location.binding import Binding
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.routing import Forward
from ringback.testing import Network
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses


async def two_servers(house: House) -> tuple[Party, Party, Party]:
    """A caller, and two servers under one name."""
    alice = await house.party("alice")
    one, two = await house.party("one"), await house.party("two")
    house.names["gateway.example"] = [one.host, two.host]
    decide(house, Forward("sip:+1@gateway.example"))
    return alice, one, two


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@simulated
async def test_a_503_sends_the_request_to_the_next_server(method: str) -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask(method)
        if method == "INVITE":
            await alice.hears("100 INVITE")
        first = await one.hears(method)
        one.reply(first, 503, extra="Retry-After: 60")
        if method == "INVITE":
            await one.hears("ACK")
        second = await two.hears(method)
        assert second.uri_text == first.uri_text
        assert second.via.branch != first.via.branch
        assert two.heard[-1].time < 0.1
        two.reply(second, 200)
        await alice.hears(f"200 {method}")


@simulated
async def test_a_503_of_the_last_server_ends_the_branch() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(one, 503)
        await refuses(two, 503)
        alice.ack(sent, await alice.hears("500 INVITE"))


@pytest.mark.parametrize("status", [404, 408, 480, 486, 500, 600])
@simulated
async def test_no_other_answer_does(status: int) -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(one, status)
        alice.ack(sent, await alice.hears(f"{status} INVITE"))
        await two.hears_nothing()


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize("seconds", [4.0, 1.5])
@simulated
async def test_silence_sends_the_request_to_the_next_server(method: str, seconds: float) -> None:
    async with House(proxy=proxy(failover_after=seconds)) as house:
        alice, one, two = await two_servers(house)
        alice.ask(method)
        await one.hears(method)
        await answers(two, method)
        assert two.heard[-1].time == pytest.approx(seconds, abs=0.1)
        await asyncio.sleep(1)
        assert alice.kinds()[-1] == f"200 {method}"
        assert set(one.kinds()) <= {method}


@simulated
async def test_one_word_is_enough_to_be_waited_for() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await one.hears("INVITE")
        one.reply(invite, 100)
        await two.hears_nothing(30)
        one.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_server_that_wakes_up_late_is_cancelled() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask()
        await alice.hears("100 INVITE")
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        two.reply(invite, 180)
        await alice.hears("180 INVITE")
        one.kinds()
        one.reply(late, 180)
        cancel = await one.hears("CANCEL")
        one.reply(late, 180)
        one.reply(cancel, 200)
        one.reply(late, 487)
        await one.hears("ACK")
        await alice.hears_nothing()
        two.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_server_that_wakes_up_before_the_next_one_goes_on() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask()
        await alice.hears("100 INVITE")
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        one.kinds()
        one.reply(late, 180)
        assert (await alice.hears("180 INVITE")).to_tag == "one-tag"
        # The second one is too late now: its first word has it cancelled.
        two.kinds()
        two.reply(invite, 100)
        cancel = await two.hears("CANCEL")
        two.reply(cancel, 200)
        two.reply(invite, 487)
        await two.hears("ACK")
        one.reply(late, 486)
        await alice.hears("486 INVITE")


@pytest.mark.parametrize("has_tried", [False, True])
@simulated
async def test_a_phone_that_has_the_request_by_the_first_way_says_so_by_the_second(has_tried: bool) -> None:
    """§8.2.2.2: it refuses the second copy with 482, and rings by the first."""
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask()
        await alice.hears("100 INVITE")
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        if has_tried:
            two.reply(invite, 100)
        two.reply(invite, 482)
        await two.hears("ACK")
        one.kinds()
        one.reply(late, 180)
        await alice.hears("180 INVITE")
        one.reply(late, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "one-tag"


@simulated
async def test_a_482_after_the_first_attempt_is_over_is_an_answer() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        one.kinds()
        one.reply(late, 404)
        await one.hears("ACK")
        two.reply(invite, 180)
        await alice.hears("180 INVITE")
        await asyncio.sleep(40)
        two.reply(invite, 482)
        alice.ack(sent, await alice.hears("482 INVITE"))


@simulated
async def test_a_server_that_answers_late_has_answered() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask()
        await alice.hears("100 INVITE")
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        two.reply(invite, 180)
        await alice.hears("180 INVITE")
        one.reply(late, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "one-tag"
        two.reply(await two.hears("CANCEL"), 200)
        # Both 2xx reach the caller where they cross (§16.7 item 5).
        two.reply(invite, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "two-tag"
        one.reply(late, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "one-tag"


@simulated
async def test_silence_everywhere_is_408() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.ack(sent, await alice.hears("408 INVITE"))
        assert alice.heard[-1].time == pytest.approx(4 + 32, abs=0.5)
        assert set(one.kinds()) == set(two.kinds()) == {"INVITE"}


@simulated
async def test_a_cancelled_call_goes_to_no_other_server() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await one.hears("INVITE")
        alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id)
        await alice.hears("200 CANCEL")
        one.kinds()
        one.reply(invite, 503)
        await one.hears("ACK")
        await alice.hears("500 INVITE")
        await two.hears_nothing(10)


@simulated
async def test_a_target_with_one_server_is_waited_for() -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("408 INVITE")
        assert alice.heard[-1].time == pytest.approx(32, abs=0.5)


@simulated
async def test_a_server_that_failed_is_left_alone_for_a_while() -> None:
    """A13: the next call goes to the other one at once."""
    async with House() as house:
        alice, one, two = await two_servers(house)
        for wait, heard in ((0, [one, two]), (0, [two]), (29, [two]), (60, [one])):
            await asyncio.sleep(wait)
            alice.ask("MESSAGE")
            for server in heard[:-1]:
                await refuses(server, 503, "MESSAGE")
            await answers(heard[-1], "MESSAGE")
            await alice.hears("200 MESSAGE")
            await (one if heard[-1] is two else two).hears_nothing()


@simulated
async def test_a_server_that_names_a_time_is_left_alone_so_long() -> None:
    async with House() as house:
        alice, one, two = await two_servers(house)
        alice.ask("MESSAGE")
        one.reply(await one.hears("MESSAGE"), 503, extra="Retry-After: 5 (busy)")
        await answers(two, "MESSAGE")
        await alice.hears("200 MESSAGE")
        await asyncio.sleep(4)
        alice.ask("MESSAGE")
        await answers(two, "MESSAGE")
        await alice.hears("200 MESSAGE")
        await asyncio.sleep(2)
        alice.ask("MESSAGE")
        one.reply(await one.hears("MESSAGE"), 503, extra="Retry-After: soon")
        await answers(two, "MESSAGE")
        await alice.hears("200 MESSAGE")


# Flows of one phone.


async def phone_with_flows(house: House, *flows: str) -> Party:
    """A caller; bob's phone is bound by these flows, the last one latest."""
    alice = await house.party("alice")
    location = house.server.location
    for number, flow in enumerate(flows, 1):
        binding = Binding(
            number,
            "sip:bob@example.com",
            "sip:bob@10.0.0.1",
            "",
            1.0,
            10_000.0 + number,
            3600,
            "c",
            1,
            flow=flow,
            instance="urn:1",
            reg_id=number,
        )
        location.update(binding.aor, (*location.staged(binding.aor), binding), lambda error: None)
    return alice


def flow_to(host: str) -> str:
    """The name of the flow to a host."""
    return f"udp-192.0.2.100-5060-{host}-5060"


@simulated
async def test_a_binding_with_a_flow_is_reached_down_it() -> None:
    async with House() as house:
        alice = await phone_with_flows(house, flow_to("192.0.2.2"))
        bob = await house.party("bob")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert invite.uri_text == "sip:bob@10.0.0.1"
        bob.reply(invite, 200)
        await alice.hears("200 INVITE")


@pytest.mark.parametrize("status", [430, 408])
@simulated
async def test_a_flow_that_failed_is_followed_by_the_next_of_the_same_phone(status: int) -> None:
    async with House() as house:
        alice = await phone_with_flows(house, flow_to("192.0.2.3"), flow_to("192.0.2.2"))
        latest, older = await house.party("latest"), await house.party("older")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await latest.hears("INVITE")
        await older.hears_nothing()
        latest.reply(invite, status)
        await latest.hears("ACK")
        await answers(older)
        await alice.hears("200 INVITE")


@pytest.mark.parametrize("status", [404, 480, 486, 500, 503])
@simulated
async def test_a_phone_that_answered_is_not_asked_again(status: int) -> None:
    async with House() as house:
        alice = await phone_with_flows(house, flow_to("192.0.2.3"), flow_to("192.0.2.2"))
        latest, older = await house.party("latest"), await house.party("older")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(latest, status)
        alice.ack(sent, await alice.hears(f"{500 if status == 503 else status} INVITE"))
        await older.hears_nothing(10)


@simulated
async def test_a_flow_that_is_silent_or_gone_is_followed_by_the_next() -> None:
    async with House(Network(reports_unreachable=True)) as house:
        alice = await phone_with_flows(house, flow_to("192.0.2.4"), flow_to("192.0.2.3"), flow_to("192.0.2.66"), "tcp-7-another")
        silent, oldest = await house.party("silent", "192.0.2.3"), await house.party("oldest", "192.0.2.4")
        alice.ask()
        await alice.hears("100 INVITE")
        await silent.hears("INVITE")
        await answers(oldest)
        assert oldest.heard[-1].time == pytest.approx(4, abs=0.1)
        await alice.hears("200 INVITE")


@simulated
async def test_whoever_wants_to_know_hears_of_the_destination_that_answered() -> None:
    """The first one was silent too long, but spoke before the second."""
    async with House() as house:
        alice, one, two = await house.party("alice"), await house.party("one"), await house.party("two")
        told: list[tuple[str, int]] = []

        def listener(name: str) -> Callable[[Response, bool, float], None]:
            return lambda response, is_first_word, now: told.append((name, response.status))

        second = Destination(two.uri, ended=listener("two"))
        decide(house, Forward(Destination(one.uri, alternatives=(second,), ended=listener("one"))))
        alice.ask()
        late = await one.hears("INVITE")
        invite = await two.hears("INVITE")
        assert told == [("one", 408)]
        one.reply(late, 180)
        one.reply(late, 200)
        await asyncio.sleep(1)
        assert told == [("one", 408), ("one", 200)]
        assert alice.kinds()[-1] == "200 INVITE"
        two.reply(invite, 486)


@simulated
async def test_a_phone_all_of_whose_flows_are_gone_is_away() -> None:
    """430 is for proxies, never for endpoints (RFC 5626 §11.5)."""
    async with House() as house:
        alice = await phone_with_flows(house, "tcp-7-another", "tcp-8-another")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.ack(sent, await alice.hears("480 INVITE"))


@simulated
async def test_a_binding_with_a_path_is_reached_by_it() -> None:
    """RFC 3327 §5.3."""
    async with House() as house:
        alice = await house.party("alice")
        edge = await house.party("edge")
        location = house.server.location
        binding = Binding(
            1, "sip:bob@example.com", "sip:bob@10.0.0.1", "", 1.0, 10_000.0, 3600, "c", 1, path=f"<sip:{edge.host};lr>, <sip:p2.example;lr>"
        )
        location.update(binding.aor, (binding,), lambda error: None)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await edge.hears("INVITE")
        assert invite.uri_text == "sip:bob@10.0.0.1"
        assert invite.headers.texts("Route") == [f"<sip:{edge.host};lr>", "<sip:p2.example;lr>"]
        edge.reply(invite, 200)
        await alice.hears("200 INVITE")
