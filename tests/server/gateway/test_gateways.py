"""Gateways: which trunk a call takes, what sends it on to the next one, and when a trunk is left out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from ringback.message.message import Request
from ringback.server.config import GatewayConfig, RouteConfig, TrunkConfig
from ringback.server.proxy.routing import Decision, Forward, Gateway, Reject
from ringback.server.targets.call_forwarding import Forwarding
from ringback.testing import Network
from tests.server.party import DOMAIN, House, Message, Party, proxy, simulated

ONE, OTHER, SPARE = "192.0.2.11", "192.0.2.12", "192.0.2.13"


def gateway(*trunks: TrunkConfig | str, **config: Any) -> GatewayConfig:
    """A gateway of one to three trunks that is not probed unless a test says so."""
    config.setdefault("probe_seconds", 0)
    return GatewayConfig(trunks=list(trunks) or [f"sip:{ONE}", TrunkConfig(uri=f"sip:{OTHER}", priority=1)], **config)


def house_of(config: GatewayConfig, **others: Any) -> House:
    """A house that sends every call to one gateway."""
    return House(gateway={"pstn": config}, **others)


def decide(house: House, decision: Decision) -> None:
    """Has the routing function decide so."""
    house.server.core.determination.route = lambda request: decision


def answering(party: Party, status: int, extra: str = "", methods: tuple[str, ...] = ("INVITE", "MESSAGE", "OPTIONS")) -> list[Request]:
    """The party answers everything so from now on; gives what it has heard."""
    heard: list[Request] = []

    def answer(message: Message) -> None:
        if isinstance(message, Request) and message.method in methods:
            heard.append(message)
            party.reply(message, status, extra=extra)

    party.on_message = answer
    return heard


def said(house: House) -> list[str]:
    """What the operator was told of gateways; of servers behind one name the resolver speaks, too."""
    return [line for line in house.reports if line.startswith("gateway ")]


async def trunks(house: House) -> tuple[Party, Party, Party]:
    """A caller and two trunks."""
    return await house.party("alice"), await house.party("one", ONE), await house.party("other", OTHER)


@simulated
async def test_a_call_goes_to_the_trunk_with_the_user_it_is_for() -> None:
    async with house_of(gateway()) as house:
        alice, one, _ = await trunks(house)
        decide(house, Gateway("pstn"))
        alice.ask("MESSAGE", f"sip:+4930123@{DOMAIN}")
        heard = await one.hears("MESSAGE")
        assert heard.uri_text == f"sip:+4930123@{ONE}"
        one.reply(heard, 200)
        await alice.hears("200 MESSAGE")
        alice.ask("MESSAGE", "tel:+49-30-123")
        heard = await one.hears("MESSAGE")
        assert heard.uri_text == f"sip:+4930123@{ONE};user=phone"
        one.reply(heard, 200)
        await alice.hears("200 MESSAGE")
        decide(house, Gateway("pstn", user="110"))
        alice.ask("MESSAGE", f"sip:x@{DOMAIN}")
        heard = await one.hears("MESSAGE")
        assert heard.uri_text == f"sip:110@{ONE}"
        one.reply(heard, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_static_route_names_a_gateway_and_changes_the_number() -> None:
    route = [RouteConfig(prefix="0", strip=1, prepend="+49", gateway="pstn")]
    async with house_of(gateway(), route=route) as house:
        alice, one, _ = await trunks(house)
        alice.ask("MESSAGE", f"sip:030123@{DOMAIN}")
        heard = await one.hears("MESSAGE")
        assert heard.uri_text == f"sip:+4930123@{ONE}"
        one.reply(heard, 200)


@simulated
async def test_a_call_forwarded_to_a_number_says_whose_it_was_whichever_trunk_it_takes() -> None:
    # RFC 5806: carriers ask for it.
    route = [RouteConfig(prefix="+49", gateway="pstn")]
    async with house_of(gateway(), route=route, proxy=proxy(diversion=True)) as house:
        alice, one, other = await trunks(house)
        house.server.core.determination.retargeting.forwarding = {f"sip:bob@{DOMAIN}": Forwarding(always="tel:+49-30-123")}
        invite = alice.ask()
        await alice.hears("100 INVITE")
        for trunk, status in ((one, 503), (other, 486)):
            heard = await trunk.hears("INVITE")
            assert heard.uri_text == f"sip:+4930123@{trunk.host}"
            assert heard.headers.texts("Diversion") == [f"<sip:bob@{DOMAIN}>;reason=unconditional;counter=1"]
            trunk.reply(heard, status)
            await trunk.hears("ACK")
        alice.ack(invite, await alice.hears("486 INVITE"))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@simulated
async def test_a_trunk_that_cannot_hands_the_call_on_to_the_next(status: int) -> None:
    async with house_of(gateway()) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        invite = alice.ask()
        await alice.hears("100 INVITE")
        one.reply(await one.hears("INVITE"), status)
        await one.hears("ACK")
        heard = await other.hears("INVITE")
        assert heard.uri_text == f"sip:bob@{OTHER}"
        other.reply(heard, 486)
        alice.ack(invite, await alice.hears("486 INVITE"))
        await other.hears("ACK")


@pytest.mark.parametrize("status", [404, 408, 480, 486, 488, 501, 603])
@simulated
async def test_what_the_callee_says_is_final(status: int) -> None:
    async with house_of(gateway()) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        invite = alice.ask()
        await alice.hears("100 INVITE")
        heard = await one.hears("INVITE")
        one.reply(heard, 180)
        await alice.hears("180 INVITE")
        one.reply(heard, status)
        alice.ack(invite, await alice.hears(f"{status} INVITE"))
        await other.hears_nothing()
        assert house.reports == []


@simulated
async def test_a_silent_trunk_is_given_up_after_four_seconds_and_left_out_for_a_minute() -> None:
    async with house_of(gateway()) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        began = asyncio.get_running_loop().time()
        answering(other, 200)
        alice.ask("INVITE")
        await alice.hears("100 INVITE")
        await alice.hears("200 INVITE")
        assert 4 <= asyncio.get_running_loop().time() - began < 5
        assert said(house) == [f"gateway pstn: sip:{ONE} does not answer: left out for 60 s"]
        assert set(one.kinds()) == {"INVITE"}
        await asyncio.sleep(40)
        one.kinds()
        alice.ask("MESSAGE")
        await alice.hears("200 MESSAGE")
        await one.hears_nothing(20)
        answering(one, 200)
        alice.ask("MESSAGE")
        await one.hears("MESSAGE")


@simulated
async def test_no_way_to_a_trunk_is_as_good_as_a_503() -> None:
    async with house_of(gateway(), network=Network(reports_unreachable=True)) as house:
        alice = await house.party("alice")
        other = await house.party("other", OTHER)
        decide(house, Gateway("pstn"))
        answering(other, 200)
        began = asyncio.get_running_loop().time()
        alice.ask("MESSAGE")
        await alice.hears("200 MESSAGE")
        assert asyncio.get_running_loop().time() - began < 1
        assert said(house) == [f"gateway pstn: sip:{ONE} failed (503 Cannot Be Reached): left out for 60 s"]


@simulated
async def test_a_trunk_that_asks_for_rest_gets_it() -> None:
    async with house_of(gateway()) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        calls = answering(one, 503, "Retry-After: 300")
        answering(other, 200)
        for _ in range(3):
            alice.ask("MESSAGE")
            await alice.hears("200 MESSAGE")
            await asyncio.sleep(90)
        assert len(calls) == 1
        await asyncio.sleep(40)
        alice.ask("MESSAGE")
        await alice.hears("200 MESSAGE")
        assert len(calls) == 2
        assert said(house) == 2 * [f"gateway pstn: sip:{ONE} failed (503 Service Unavailable): left out for 300 s"]


@simulated
async def test_other_answers_may_send_on_and_cool_down() -> None:
    async with house_of(gateway(fails_over_on=[480], cools_down_on=[480])) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        calls = answering(one, 480)
        answering(other, 500)
        for _ in range(2):
            alice.ask("MESSAGE")
            await alice.hears("500 MESSAGE")
        assert len(calls) == 1


@simulated
async def test_with_no_trunk_left_calls_are_refused_until_one_is_back() -> None:
    async with house_of(gateway()) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        answering(one, 503)
        answering(other, 503, "Retry-After: 20")
        alice.ask("MESSAGE")
        assert (await alice.hears("500 MESSAGE")).reason == "All Targets Unavailable"
        for _ in range(2):
            alice.ask("MESSAGE")
            refused = await alice.hears("480 MESSAGE")
            assert (refused.reason, refused.headers.text("Retry-After")) == ("No Trunk Available", "20")
        assert said(house)[2:] == ["gateway pstn: no trunk is left, calls are refused with 480"]
        await asyncio.sleep(21)
        answering(other, 200)
        alice.ask("MESSAGE")
        await alice.hears("200 MESSAGE")
        decide(house, Gateway("pstn", else_=Forward(alice.uri)))
        answering(other, 503)
        alice.ask("MESSAGE")
        alice.reply(await alice.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_gateway_that_no_table_names_is_an_error_of_the_routing_function() -> None:
    async with house_of(gateway()) as house:
        alice = await house.party("alice")
        decide(house, Gateway("nowhere"))
        alice.ask("MESSAGE")
        await alice.hears("500 MESSAGE")
        assert house.reports == ["no gateway is named nowhere: the request is refused"]


@simulated
async def test_relaying_to_a_gateway_needs_no_permission_but_only_within_its_dialog() -> None:
    async with house_of(gateway()) as house:
        alice, one, _ = await trunks(house)
        decide(house, Gateway("pstn"))
        dialog = await house.call(alice, one)
        alice.within("BYE", dialog)
        one.reply(await one.hears("BYE"), 200)
        await alice.hears("200 BYE")
        alice.ask("MESSAGE", f"sip:x@{ONE}")
        await alice.hears("403 MESSAGE")


@simulated
async def test_of_equal_trunks_each_gets_calls_as_its_weight_says() -> None:
    config = gateway(TrunkConfig(uri=f"sip:{ONE}", weight=3), f"sip:{OTHER}", TrunkConfig(uri=f"sip:{SPARE}", priority=9))
    async with house_of(config, waits=False) as house:
        gateways = house.server.core.gateways
        alice = await house.party("alice")
        counts: Counter[str] = Counter()
        for number in range(2000):
            forward = gateways.forward(Gateway("pstn"), alice.request(call_id=f"c{number}"))
            assert isinstance(forward, Forward)
            [[first]] = forward.steps()
            counts[first.uri] += 1
            assert [one.uri for one in first.alternatives][-1] == f"sip:bob@{SPARE}"
        assert counts.keys() == {f"sip:bob@{ONE}", f"sip:bob@{OTHER}"}
        assert 1400 < counts[f"sip:bob@{ONE}"] < 1600
        again = gateways.forward(Gateway("pstn"), alice.request(call_id="c0"))
        assert again.steps() == gateways.forward(Gateway("pstn"), alice.request(call_id="c0")).steps()  # type: ignore[union-attr]


@simulated
async def test_what_was_asked_for_as_sips_takes_no_other_trunk() -> None:
    async with house_of(gateway(f"sip:{ONE}", f"sips:{OTHER}"), waits=False) as house:
        alice = await house.party("alice")
        forward = house.server.core.gateways.forward(Gateway("pstn"), alice.request(uri=f"sips:bob@{DOMAIN}"))
        assert isinstance(forward, Forward)
        assert [one.uri for [one] in forward.steps()] == [f"sips:bob@{OTHER}"]
        assert forward.steps()[0][0].alternatives == ()


@simulated
async def test_without_state_a_call_takes_one_trunk_and_its_cancel_the_same() -> None:
    async with house_of(gateway(f"sip:{ONE}", f"sip:{OTHER}"), proxy=proxy(mode="stateless")) as house:
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        for _ in range(8):
            invite = alice.ask()
            alice.send(invite)
            await asyncio.sleep(0.01)
            alice.send(alice.request("CANCEL", branch=invite.via.branch, call_id=invite.call_id))
            await asyncio.sleep(0.01)
        heard = [party.kinds() for party in (one, other)]
        assert all(kinds == ["INVITE", "INVITE", "CANCEL"] * (len(kinds) // 3) for kinds in heard)
        assert all(heard)


@simulated
async def test_trunks_keep_what_is_known_of_them_when_the_configuration_is_read_again() -> None:
    async with house_of(gateway(), waits=False) as house:
        gateways = house.server.core.gateways
        alice, one, other = await trunks(house)
        decide(house, Gateway("pstn"))
        answering(one, 503)
        answering(other, 200)
        alice.ask("MESSAGE")
        await alice.hears("200 MESSAGE")
        gateways.configure({"pstn": gateway(f"sip:{ONE}"), "new": gateway(f"sip:{ONE}")})
        assert isinstance(gateways.forward(Gateway("pstn"), alice.request()), Reject)
        assert isinstance(gateways.forward(Gateway("new"), alice.request()), Forward)
