"""An agent with an instance: flows, signs of life, recovery (RFC 5626 §4), GRUUs (RFC 5627 §4), `keep` (RFC 6223)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import Unreachable, UserAgent
from ringback.agent.registration.binding import Gruus, back_off, gruus_of
from ringback.message.message import Request, Response
from ringback.testing import Network
from ringback.transport.stun import stun_request
from tests.agent.desk import Answer, Desk, Script, desk, grants, in_turn, resolve
from tests.agent.stage import Stage, on_stage

DOMAIN = "example.com"
AOR = f"sip:alice@{DOMAIN}"
URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
PUBLIC, TEMPORARY = f"{AOR};gr={URN}", f"sip:tgruu.7hs==jd7vnzga5w7fajsc7@{DOMAIN};gr"


def outbound(seconds: int = 3600, *extra: str) -> Script:
    """A registrar that knows of flows."""
    return grants(seconds, "Require: outbound", *extra)


def gives_gruus(request: Request) -> Answer:
    contact = f'{request.headers.text("Contact")};pub-gruu="{PUBLIC}";temp-gruu="{TEMPORARY}";expires=3600'
    return Answer(200, f"Contact: {contact}\nRequire: outbound" if request.headers.text("Expires") != "0" else "")


async def alice_of(stage: Stage, *, transport: str = "udp", instance: str | None = URN, **options: object) -> UserAgent:
    """Alice, whose registrar is the next host that comes on the stage."""
    resolve({DOMAIN: ["192.0.2.2"]})
    aor = AOR if transport == "udp" else f"{AOR};transport={transport}"
    return await stage.agent("alice", aor, instance=instance, listen=["udp://192.0.2.1:5060", "tcp://192.0.2.1:5060"], **options)


def pings(stage: Stage) -> list[bytes]:
    """The signs of life that arrived at the registrar."""
    return [
        passed.octets
        for passed in stage.network.log
        if passed.source[0] == "192.0.2.1" and (passed.octets == b"\r\n\r\n" or passed.octets[:2] == b"\0\1")
    ]


# What is said.


def test_a_register_says_which_agent_it_is_and_which_flow() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration():
            [request] = registrar.requests
            assert request.contact.params["+sip.instance"] == f'"<{URN}>"'
            assert request.contact.params["reg-id"] == "1"
            assert "ob" in request.contact.uri.params
            assert {"outbound", "path", "gruu"} <= set(request.supported)
            assert "keep" in request.via.params and request.via.params["keep"] is None
        removal = registrar.requests[-1]
        assert (removal.contact.params["+sip.instance"], removal.contact.params["reg-id"]) == (f'"<{URN}>"', "1")
        assert registrar.texts("Expires")[-1] == "0"

    on_stage(scenario)


def test_one_without_an_instance_registers_as_ever() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, instance=None)
        registrar = await desk(stage, "registrar", grants())
        async with alice.registration():
            await asyncio.sleep(1000)
            assert "+sip.instance" not in str(registrar.requests[0].contact)
            assert "ob" not in registrar.requests[0].contact.uri.params
            assert "outbound" not in registrar.requests[0].supported
        assert pings(stage) == []

    on_stage(scenario)


def test_other_requests_say_it_too_and_go_over_the_same_connection() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, transport="tcp", proxy="sip:192.0.2.2;transport=tcp")
        registrar = await desk(stage, "registrar", lambda request: outbound()(request) if request.method == "REGISTER" else Answer(486))
        async with alice.registration():
            with pytest.raises(Exception, match="486"):
                await alice.call(f"sip:bob@{DOMAIN}")
        invite = registrar.requests[1]
        assert {"outbound", "gruu", "path"} <= set(invite.supported)
        flows = {heard.flow for heard in registrar.party.heard}
        assert len(flows) == 1

    on_stage(scenario)


def test_every_binding_at_once_is_removed_without_naming_ourselves() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants())
        await alice.remove_bindings()
        assert registrar.texts("Contact") == ["*"]

    on_stage(scenario)


@pytest.mark.parametrize("instance", ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "urn:uuid:", 'urn:uuid:"x"', "urn:uuid:a>b", "urn:x"])
def test_an_instance_is_a_urn(instance: str) -> None:
    with pytest.raises(ValueError, match="not a URN such as urn:uuid:"):
        UserAgent(AOR, instance=instance)


def test_a_first_hop_that_knows_nothing_of_flows_is_asked_again_without() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(Answer(439), grants(60)))
        async with alice.registration() as registration:
            assert registration.is_registered
            await asyncio.sleep(100)
        assert ["reg-id" in request.contact.params for request in registrar.requests] == [True] + [False] * (len(registrar.requests) - 1)
        assert all("+sip.instance" in request.contact.params for request in registrar.requests)
        assert pings(stage) == []

    on_stage(scenario)


# Signs of life.


def test_a_stream_is_pinged_every_two_minutes_at_most() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, transport="tcp")
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration():
            await asyncio.sleep(1200)
            assert 10 <= len(pings(stage)) <= 12
            assert set(pings(stage)) == {b"\r\n\r\n"}
            assert len(registrar.requests) == 1
        await asyncio.sleep(300)
        assert len(pings(stage)) <= 12, "it ends with the registration"

    on_stage(scenario)


def test_a_datagram_flow_is_kept_open_by_stun_before_any_nat_forgets_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration():
            await asyncio.sleep(290)
            assert 10 <= len(pings(stage)) <= 12
            assert len(registrar.requests) == 1
            assert len(set(pings(stage))) == len(pings(stage)), "each with a transaction of its own"
            assert pings(stage)[0] == stun_request(pings(stage)[0][8:])

    on_stage(scenario)


@pytest.mark.parametrize(("extra", "least", "most"), [("Flow-Timer: 20", 50, 63), ("Flow-Timer: 840", 1, 1), ("Flow-Timer: x", 35, 43)])
def test_the_flow_timer_is_kept_to(extra: str, least: int, most: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", outbound(3600, extra))
        async with alice.registration():
            await asyncio.sleep(1000)
            assert least <= len(pings(stage)) <= most

    on_stage(scenario)


@pytest.mark.parametrize(("keep", "count"), [(None, 0), ("0", 11), ("30", 11), ("300", 1)])
def test_whoever_stands_next_may_ask_for_them_by_keep(keep: str | None, count: int) -> None:
    """RFC 6223 needs no outbound, and no instance."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, instance=None)
        registrar = await desk(stage, "registrar", grants(3600))
        reply = registrar.party.reply

        def with_keep(request: Request, status: int, **parts: object) -> Response:
            if keep is not None:
                via = request.headers.text("Via")
                request.headers.replace_first("Via", str(via).replace(";keep", f";keep={keep}"))
            return reply(request, status, **parts)  # type: ignore[arg-type]

        registrar.party.reply = with_keep  # type: ignore[method-assign,assignment]
        async with alice.registration():
            await asyncio.sleep(300)
            assert abs(len(pings(stage)) - count) <= (1 if count > 1 else 0)

    on_stage(scenario)


# A flow that fails.


async def mute(stage: Stage, registrar: Desk) -> None:
    """From now on nothing gets through in either direction."""
    stage.network.cut("192.0.2.1", registrar.party.host)


@pytest.mark.parametrize(("transport", "latest"), [("tcp", 120 + 10), ("udp", 29 + 39.5)])
def test_a_dead_flow_is_found_and_made_anew(transport: str, latest: float) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, transport=transport)
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration() as registration:
            await asyncio.sleep(130)
            loop = asyncio.get_running_loop()
            await mute(stage, registrar)
            cut_at = loop.time()
            await asyncio.sleep(latest + 1)
            assert len(registrar.requests) == 1
            stage.network.heal("192.0.2.1", registrar.party.host)
            await asyncio.sleep(120)
            assert registration.is_registered
            assert registration.fault is None
            assert len(registrar.requests) >= 2
            assert registrar.times[1] - cut_at <= latest + 121
            assert [request.contact.params["reg-id"] for request in registrar.requests] == ["1"] * len(registrar.requests)
            assert len(set(registrar.texts("Call-ID"))) == 1
            if transport == "tcp":
                flows = [heard.flow for heard in registrar.party.heard if isinstance(heard.message, Request)]
                assert flows[0] != flows[-1], "another connection"

    on_stage(scenario)


def test_a_connection_that_is_closed_is_made_anew_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, transport="tcp")
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration() as registration:
            await asyncio.sleep(130)
            registrar.party.transports.drop(registrar.party.heard[-1].flow, "over")
            await asyncio.sleep(1)
            assert len(registrar.requests) == 2
            assert registration.is_registered
            # This one closes before any sign of life was answered: the next waits (RFC 5626 §4.5).
            registrar.party.transports.drop(registrar.party.heard[-1].flow, "over")
            await asyncio.sleep(1)
            assert isinstance(registration.fault, Unreachable)
            await asyncio.sleep(28)
            assert len(registrar.requests) == 2
            await asyncio.sleep(32)
            assert len(registrar.requests) == 3
            assert registration.fault is None

    on_stage(scenario)


def test_a_refusal_that_may_pass_leaves_the_flow_alone() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, transport="tcp")
        registrar = await desk(stage, "registrar", in_turn(outbound(600), Answer(503, "Retry-After: 200"), outbound(600)))
        async with alice.registration() as registration:
            await asyncio.sleep(301)
            assert registration.fault is not None
            before = len(pings(stage))
            await asyncio.sleep(300)
            assert len(pings(stage)) >= before + 2
            assert registration.fault is None
            flows = {heard.flow for heard in registrar.party.heard}
            assert len(registrar.requests) == 3
            assert len(flows) == 1

    on_stage(scenario)


def test_a_nat_that_forgets_a_flow_is_seen_by_the_address_it_gives() -> None:
    network = Network()

    async def scenario(stage: Stage) -> None:
        nat = network.nat("203.0.113.9", ["192.0.2.1"])
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration():
            await asyncio.sleep(100)
            assert len(registrar.requests) == 1
            nat.forget()
            await asyncio.sleep(35)
            assert len(registrar.requests) == 2

    on_stage(scenario, network)


def test_stun_that_is_refused_is_a_dead_flow_as_well() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", outbound())
        async with alice.registration():
            core = alice.core
            await asyncio.sleep(5)
            transports, sent = core.transports, core.transports.send

            def refusing(data: bytes, flow: object) -> None:
                if data[:2] == b"\0\1":
                    core.loop.call_soon(transports._user.pings.pop(data[8:]), False, None)
                else:
                    sent(data, flow)  # type: ignore[arg-type]

            transports.send = refusing  # type: ignore[method-assign,assignment]
            await asyncio.sleep(30)
            assert len(registrar.requests) == 1
            transports.send = sent  # type: ignore[method-assign]
            await asyncio.sleep(61)
            assert len(registrar.requests) == 2

    on_stage(scenario)


@pytest.mark.parametrize(
    ("failures", "all_failed", "another"),
    [(1, (30, 60), (90, 180)), (3, (120, 240), (360, 720)), (9, (900, 1800), (900, 1800))],
)
def test_the_waits_of_the_appendix(failures: int, all_failed: tuple[int, int], another: tuple[int, int]) -> None:
    assert (back_off(failures, 0.0), back_off(failures, 1.0)) == all_failed
    assert (back_off(failures, 0.0, 90.0), back_off(failures, 1.0, 90.0)) == another


# Several flows.


def test_through_each_proxy_a_flow_of_its_own() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        first, second = await desk(stage, "edge1", outbound()), await desk(stage, "edge2", outbound())
        proxies = [f"sip:{one.party.host}" for one in (first, second)]
        async with alice.registration(proxies=proxies) as registration:
            for number, edge in enumerate((first, second), 1):
                [request] = edge.requests
                assert request.uri_text == f"sip:{DOMAIN}"
                assert request.headers.texts("Route") == [f"<sip:{edge.party.host};lr>"]
                assert request.contact.params["reg-id"] == str(number)
            assert first.requests[0].call_id != second.requests[0].call_id
            # What else is said goes through the first of them, and when that is gone through the second.
            assert alice.core.route_set == (f"<sip:{first.party.host};lr>",)
            await asyncio.sleep(60)
            stage.network.cut("192.0.2.1", first.party.host)
            await asyncio.sleep(150)
            assert registration.is_registered
            assert registration.fault is not None
            assert alice.core.route_set == (f"<sip:{second.party.host};lr>",)
            assert len(second.requests) == 1

    on_stage(scenario)


def test_several_ways_need_an_instance() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, instance=None)
        with pytest.raises(ValueError, match="several ways to one agent need its `instance`"):
            alice.registration(proxies=["sip:192.0.2.8", "sip:192.0.2.9"])

    on_stage(scenario)


# GRUUs.


def test_a_gruu_is_our_contact_while_we_are_registered() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", gives_gruus)
        bob = await desk(stage, "bob", lambda request: Answer(486))
        uri = f"sip:bob@{bob.party.host}"
        async with alice.registration() as registration:
            assert registration.gruus == Gruus(PUBLIC, TEMPORARY)
            for anonymous in (False, True):
                with pytest.raises(Exception, match="486"):
                    await alice.call(uri, anonymous=anonymous)
        with pytest.raises(Exception, match="486"):
            await alice.call(uri)
        contacts = [request.contact.uri_text for request in bob.requests]
        # One that shall not tell who calls is temporary (RFC 5627 §4.4); without a registration there is none, and a flow is asked for.
        assert contacts == [PUBLIC, TEMPORARY, "sip:alice@192.0.2.1:5060;ob"]

    on_stage(scenario)


def test_a_gruu_is_no_contact_to_be_bound() -> None:
    def brief(request: Request) -> Answer:
        answer = gives_gruus(request)
        return answer._replace(extra=answer.extra.replace("expires=3600", "expires=60"))

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", brief)
        async with alice.registration():
            await asyncio.sleep(100)
        assert len(registrar.requests) > 3
        for request in registrar.requests:
            assert request.contact.uri_text == "sip:alice@192.0.2.1:5060;ob"
            assert not {"pub-gruu", "temp-gruu"} & set(request.contact.params)

    on_stage(scenario)


def test_a_gruu_that_changes_is_the_one_that_is_used() -> None:
    numbers = iter(range(9))

    def changing(request: Request) -> Answer:
        gruu = f"sip:tgruu.{next(numbers)}@{DOMAIN};gr"
        return Answer(200, f'Contact: {request.headers.text("Contact")};temp-gruu="{gruu}";expires=60')

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", changing)
        bob = await desk(stage, "bob", lambda request: Answer(486))
        async with alice.registration() as registration:
            for number in range(2):
                assert registration.gruus == Gruus(None, f"sip:tgruu.{number}@{DOMAIN};gr")
                with pytest.raises(Exception, match="486"):
                    await alice.call(f"sip:bob@{bob.party.host}")
                assert bob.requests[-1].contact.uri_text == registration.gruus.temporary
                await asyncio.sleep(30 + 1 - 30 * number)
        assert len(set(registrar.texts("Call-ID"))) == 1

    on_stage(scenario)


@pytest.mark.parametrize(
    "params",
    ["", ";pub-gruu=x", ';pub-gruu="mailto:a@b;gr"', ';pub-gruu="sip:alice@example.com"', ';pub-gruu="sip:@;gr"', ";pub-gruu;temp-gruu"],
)
def test_what_is_no_gruu_is_none(params: str) -> None:
    response = Response(200, headers=[("Contact", f"<sip:alice@192.0.2.1>{params}")])
    assert gruus_of(response, "<sip:alice@192.0.2.1>") == Gruus()
    assert gruus_of(response, "<sip:alice@192.0.2.2>") == Gruus()


def test_of_several_flows_with_one_contact_each_has_its_own_answer() -> None:
    contact = '<sip:a@192.0.2.1;ob>;+sip.instance="<urn:x:1>";reg-id='
    listed = ", ".join(f'{contact}{n};pub-gruu="sip:{n}@x;gr"' for n in (1, 2))
    assert gruus_of(Response(200, headers=[("Contact", listed)]), f"{contact}2") == Gruus("sip:2@x;gr")
