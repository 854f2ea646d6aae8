"""OPTIONS to trunks: asked in turn, one at a time, and what their silence means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback.message.message import Request
from ringback.server.config import GatewayConfig
from ringback.server.proxy.routing import Forward, Gateway, Reject
from tests.server.party import House, Message, Party, simulated

ONE, OTHER = "192.0.2.11", "192.0.2.12"


def probing(*uris: str, **config: Any) -> House:
    """A house that asks its trunks every 30 s."""
    return House(gateway={"pstn": GatewayConfig(trunks=list(uris) or [f"sip:{ONE}"], **config)}, waits=False)


class Answers:
    """What a trunk answers, and when it was asked."""

    def __init__(self, trunk: Party) -> None:
        self.status: int | None = 200
        self.extra = ""
        self.times: list[float] = []
        self.requests: list[Request] = []
        self._trunk = trunk
        trunk.on_message = self._answer

    def _answer(self, message: Message) -> None:
        if isinstance(message, Request) and message.method != "ACK":
            self.times.append(asyncio.get_running_loop().time())
            self.requests.append(message)
            if self.status is not None:
                self._trunk.reply(message, self.status, extra=self.extra)


def is_up(house: House) -> bool:
    """Whether the only trunk gets requests."""
    now = asyncio.get_running_loop().time()
    [trunk] = house.server.core.gateways.trunks["pstn"]
    return trunk.is_up(now)


@simulated
async def test_a_trunk_is_asked_every_thirty_seconds() -> None:
    async with probing() as house:
        answers = Answers(await house.party("one", ONE))
        await asyncio.sleep(100)
        assert [round(time) for time in answers.times] == [0, 30, 60, 90]
        request = answers.requests[0]
        assert (request.method, request.uri_text, request.max_forwards) == ("OPTIONS", f"sip:{ONE}", 70)
        assert request.from_tag
        assert len({one.call_id for one in answers.requests}) == 4
        assert house.reports == []
        assert house.server.core.layer.clients == {} or len(house.server.core.layer.clients) == 1


@simulated
async def test_several_trunks_are_asked_one_after_another() -> None:
    async with probing(f"sip:{ONE}", f"sip:{OTHER}") as house:
        one, other = Answers(await house.party("one", ONE)), Answers(await house.party("other", OTHER))
        await asyncio.sleep(50)
        assert [round(time) for time in one.times] == [0, 30]
        assert [round(time) for time in other.times] == [15, 45]


@simulated
async def test_two_unanswered_in_a_row_leave_a_trunk_out_until_one_is_answered() -> None:
    async with probing() as house:
        answers = Answers(await house.party("one", ONE))
        await asyncio.sleep(10)
        answers.status = None
        await asyncio.sleep(30)
        assert is_up(house), "one may be lost"
        await asyncio.sleep(40)
        assert not is_up(house)
        alice = await house.party("alice")
        refused = house.server.core.gateways.forward(Gateway("pstn"), alice.request())
        assert isinstance(refused, Reject)
        assert dict(refused.headers) == {"Retry-After": "30"}
        answers.status = 404
        await asyncio.sleep(40)
        assert is_up(house), "who answers is there, whatever the answer"
        assert house.reports == [
            f"gateway pstn: sip:{ONE} has not answered 2 OPTIONS: left out until it does",
            "gateway pstn: no trunk is left, calls are refused with 480",
            f"gateway pstn: sip:{ONE} answers again",
        ]


@pytest.mark.parametrize("status", [408, 503])
@simulated
async def test_who_says_that_he_serves_nobody_is_as_good_as_away(status: int) -> None:
    async with probing(probe_failures=1) as house:
        answers = Answers(await house.party("one", ONE))
        answers.status = status
        await asyncio.sleep(10)
        assert not is_up(house)


@simulated
async def test_a_probe_waits_four_seconds_and_is_sent_by_one_transaction_at_a_time() -> None:
    async with probing(probe_failures=1) as house:
        trunk = await house.party("one", ONE)
        answers = Answers(trunk)
        answers.status = None
        await asyncio.sleep(3.9)
        assert is_up(house)
        await asyncio.sleep(0.2)
        assert not is_up(house)
        assert house.server.core.layer.clients == {}
        trunk.reply(answers.requests[0], 200)
        await asyncio.sleep(1)
        assert not is_up(house), "an answer that comes too late says nothing of now"


@simulated
async def test_an_answered_probe_ends_a_cool_down_but_not_a_rest_that_was_asked_for() -> None:
    async with probing() as house:
        trunk = await house.party("one", ONE)
        alice = await house.party("alice")
        answers = Answers(trunk)
        house.server.core.determination.route = lambda request: Gateway("pstn")
        for extra, is_back in (("", True), ("Retry-After: 200", False)):
            await asyncio.sleep(1)
            answers.status, answers.extra = 503, extra
            alice.ask("MESSAGE")
            await alice.hears("500 MESSAGE")
            answers.status, answers.extra = 200, ""
            assert not is_up(house)
            await asyncio.sleep(35)
            assert is_up(house) is is_back


@simulated
async def test_a_name_that_leads_nowhere_is_an_unanswered_probe() -> None:
    async with probing("sip:trunk.example.net", probe_failures=1) as house:
        await asyncio.sleep(1)
        assert not is_up(house)
        house.names["trunk.example.net"] = [ONE]
        answers = Answers(await house.party("one", ONE))
        await asyncio.sleep(100)
        assert answers.times
        assert is_up(house)


@simulated
async def test_no_way_to_a_trunk_is_an_unanswered_probe() -> None:
    async with probing("sip:[2001:db8::1]", probe_failures=1) as house:
        await asyncio.sleep(1)
        assert not is_up(house)


@simulated
async def test_probes_begin_anew_with_another_configuration_and_end_with_the_server() -> None:
    async with probing() as house:
        one, other = Answers(await house.party("one", ONE)), Answers(await house.party("other", OTHER))
        await asyncio.sleep(10)
        gateways = house.server.core.gateways
        gateways.configure({"new": GatewayConfig(trunks=[f"sip:{OTHER}"])})
        await asyncio.sleep(100)
        assert (len(one.times), len(other.times)) == (1, 4)
        gateways.close()
        await asyncio.sleep(100)
        assert len(other.times) == 4


@simulated
async def test_a_gateway_that_a_reload_brings_is_probed() -> None:
    async with House(waits=False) as house:
        answers = Answers(await house.party("one", ONE))
        house.server.core.gateways.configure({"new": GatewayConfig(trunks=[f"sip:{ONE}"])})
        await asyncio.sleep(40)
        assert len(answers.times) == 2


@simulated
async def test_a_configuration_read_again_while_an_answer_is_due_waits_for_it_no_more() -> None:
    async with probing() as house:
        answers = Answers(await house.party("one", ONE))
        answers.status = None
        await asyncio.sleep(1)
        assert len(house.server.core.layer.clients) == 1
        house.server.core.gateways.configure({})
        assert house.server.core.layer.clients == {}
        await asyncio.sleep(60)
        assert house.reports == []


@simulated
async def test_nobody_is_asked_where_no_time_is_given() -> None:
    async with probing(probe_seconds=0) as house:
        answers = Answers(await house.party("one", ONE))
        await asyncio.sleep(100)
        assert answers.times == []
        alice = await house.party("alice")
        assert isinstance(house.server.core.gateways.forward(Gateway("pstn"), alice.request()), Forward)
