"""Registrations lost and made again, several registrars, the end, the ways they go (RFC 3261 §10.2, RFC 5626 §4.5, RFC 3608)."""

from __future__ import annotations

import asyncio
import functools
from itertools import pairwise

import pytest

from ringback import AuthenticationFailed, RequestRejected, RequestTimedOut, Unreachable, UserAgent
from ringback.agent.registration.binding import back_off, is_definite
from ringback.agent.registration.registrar import after_outbound, contacts_of, loose_route, service_route_of
from ringback.agent.registration.registration import Registration
from ringback.digest import Account
from ringback.message.message import Request, Response
from ringback.server.config import Config
from ringback.server.server import Server
from tests.agent.desk import Answer, challenge_line, demands, desk, grants, in_turn, resolve
from tests.agent.stage import Stage, on_stage

DOMAIN = "example.com"
AOR = f"sip:alice@{DOMAIN}"
REGISTRAR = "192.0.2.2"


async def alice_of(stage: Stage, **options: object) -> UserAgent:
    """Alice, whose registrar is the next host that comes on the stage."""
    resolve({DOMAIN: [REGISTRAR]})
    return await stage.agent("alice", AOR, **options)


# A registration that is lost and comes back.


def test_a_refresh_that_fails_is_tried_again_with_growing_pauses() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(grants(600), *[Answer(500)] * 6, grants(600)))
        states: list[tuple[bool, int | None]] = []

        def note(registration: Registration) -> None:
            states.append((registration.is_registered, registration.fault and registration.fault.status))

        async with alice.registration(on_change=note) as registration:
            await asyncio.sleep(8000)
            assert registration.is_registered
            assert registration.fault is None
            pauses = [later - earlier for earlier, later in pairwise(registrar.times)][1:7]
            for failures, pause in enumerate(pauses, 1):
                longest = min(1800, 30 * 2**failures)
                assert longest / 2 <= pause <= longest + 1
        assert states[0] == (True, None)
        assert states[1] == (True, 500), "the binding stands while its time lasts"
        assert (False, 500) in states
        assert states[-2:] == [(True, None), (False, None)]

    on_stage(scenario)


def test_when_the_network_comes_back_so_does_the_registration() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants(120))
        async with alice.registration() as registration:
            stage.network.cut("192.0.2.1", REGISTRAR)
            waiting = asyncio.ensure_future(registration.changed())
            assert await waiting is True, "the refresh has failed, the binding stands"
            assert isinstance(registration.fault, RequestTimedOut)
            assert await registration.changed() is False, "its time is over"
            before = asyncio.get_running_loop().time()
            stage.network.heal("192.0.2.1", REGISTRAR)
            assert await registration.changed() is True
            assert asyncio.get_running_loop().time() - before < 120
            assert len(registrar.asked) == 2

    on_stage(scenario)


def test_a_registration_that_is_refused_for_good_is_not_tried_again() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(grants(600, "Service-Route: <sip:192.0.2.9;lr>"), Answer(403)))
        async with alice.registration() as registration:
            assert alice.core.route_set == ("<sip:192.0.2.9;lr>",)
            assert await registration.changed() is False
            assert registration.fault is not None
            assert registration.fault.status == 403
            assert alice.core.route_set == (), "RFC 3608 §6.1"
            await asyncio.sleep(8000)
            assert len(registrar.asked) == 2
        assert len(registrar.asked) == 2, "there is no binding to remove"

    on_stage(scenario)


def test_a_program_may_register_anew_at_any_time() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(grants(3600), Answer(500), grants(3600)))
        async with alice.registration() as registration:
            with pytest.raises(RequestRejected):
                await registration.register()
            assert registration.is_registered, "the binding stands"
            await registration.register()
            assert registration.fault is None
            await asyncio.sleep(2000)
            assert len(registrar.asked) == 3, "only one of them is refreshed"

    on_stage(scenario)


def test_retry_after_is_waited_for() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(grants(600), Answer(503, "Retry-After: 1000"), grants(600)))
        async with alice.registration() as registration:
            await registration.changed()
            await asyncio.sleep(1100)
            assert registration.is_registered
            assert registrar.times[2] - registrar.times[1] >= 1000

    on_stage(scenario)


def test_a_first_503_says_when_to_come_again() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", in_turn(Answer(503, "Retry-After: 120")))
        with pytest.raises(RequestRejected) as raised:
            await alice.registration().register()
        assert (raised.value.status, raised.value.retry_after) == (503, 120)

    on_stage(scenario)


@pytest.mark.parametrize(("failures", "longest"), [(1, 60), (2, 120), (5, 960), (6, 1800), (10**9, 1800)])
def test_the_pauses_are_those_of_rfc_5626(failures: int, longest: float) -> None:
    assert back_off(failures, 0.0) == longest / 2
    assert back_off(failures, 1.0) == longest


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (AuthenticationFailed(401, ""), True),
        (RequestRejected(404, ""), True),
        (RequestRejected(603, ""), True),
        (RequestRejected(404, "", Response(404, headers=[("Retry-After", "5")])), False),
        (RequestRejected(480, ""), False),
        (RequestRejected(503, ""), False),
        (RequestRejected(302, ""), False),
        (RequestTimedOut(408, ""), False),
        (Unreachable(503, ""), False),
    ],
)
def test_what_would_only_be_refused_again(error: RequestRejected, is_final: bool) -> None:
    assert is_definite(error) is is_final


# The end.


def test_leaving_waits_a_bounded_time() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", in_turn(grants(), None))
        loop = asyncio.get_running_loop()
        async with alice.registration():
            before = loop.time()
        assert loop.time() - before == pytest.approx(5.0)

    on_stage(scenario)


def test_nothing_new_is_sent_before_the_last_register_is_answered() -> None:
    """§10.2: also where the program has lost its patience in between."""
    answers: list[Request] = []

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(None))
        registration = alice.registration()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await registration.register()
        answers.append(registrar.requests[0])
        again = asyncio.ensure_future(registration.register())
        await asyncio.sleep(20)
        assert {request.cseq.number for request in registrar.requests} == {1}
        registrar.script = grants()
        await again
        assert registrar.requests[-1].cseq.number == 2
        assert registration.is_registered
        await registration.unregister()

    on_stage(scenario)


def test_a_binding_that_nobody_removed_is_removed_when_the_agent_closes() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants())
        registration = alice.registration()
        await registration.register()
        assert alice.core.standing == {registration}
        for standing in alice.core.standing:
            standing.close()
        await asyncio.sleep(1)
        assert alice.core.standing == set()
        assert registrar.texts("Expires") == ["3600", "0"]

    on_stage(scenario)


@pytest.mark.parametrize("seconds", [40, 80])
def test_a_binding_that_may_be_there_is_removed_too(seconds: int) -> None:
    """After a refresh that timed out (of 80 s, the binding was over first), and while one has no answer (of 40 s)."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants(seconds))
        async with alice.registration() as registration:
            stage.network.cut("192.0.2.1", REGISTRAR)
            while registration.is_registered:
                await registration.changed()
            stage.network.heal("192.0.2.1", REGISTRAR)
        assert registrar.texts("Expires")[-1] == "0"

    on_stage(scenario)


def test_a_removal_that_is_refused_ends_the_registration_all_the_same() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", in_turn(grants(), Answer(500)))
        async with alice.registration() as registration:
            pass
        assert not registration.is_registered
        assert registration.fault is not None
        assert repr(registration) == "<Registration 500 Server Internal Error>"

    on_stage(scenario)


def test_a_registration_that_does_not_stand_is_ended_without_a_word() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants())
        registration = alice.registration()
        await registration.unregister()
        assert registrar.asked == []
        async with registration:
            impatient, patient = (asyncio.ensure_future(registration.changed()) for _ in range(2))
            await asyncio.sleep(1)
            impatient.cancel()
        assert await patient is False
        await registration.unregister()
        assert len(registrar.asked) == 2

    on_stage(scenario)


# Several registrars, other people's bindings.


def test_several_registrars_are_registered_at_and_one_is_enough() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", AOR)
        good = await desk(stage, "good", grants(600))
        ill = await desk(stage, "ill", in_turn(Answer(500), grants(600)))
        async with alice.registration(registrars=["sip:192.0.2.2", "sip:192.0.2.3"]) as registration:
            assert registration.is_registered
            assert registration.fault is not None, "one of them did not take it"
            await asyncio.sleep(100)
            assert registration.fault is None, "later it has"
        assert good.texts("Call-ID")[0] != ill.texts("Call-ID")[0], "one Call-ID per registrar"
        assert [one.texts("Expires")[-1] for one in (good, ill)] == ["0", "0"]

    on_stage(scenario)


def test_the_bindings_can_be_asked_for() -> None:
    """§10.2.3: a REGISTER without Contact changes nothing."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        lines = "Contact: <sip:alice@192.0.2.1>;expires=5, broken<>\nContact: <sip:alice@192.0.2.77>;q=0.3;expires=50"
        registrar = await desk(stage, "registrar", in_turn(Answer(200, lines)))
        bindings = await alice.bindings()
        assert [(str(binding.uri), binding.q, binding.expires) for binding in bindings] == [
            ("sip:alice@192.0.2.1", None, 5),
            ("sip:alice@192.0.2.77", 0.3, 50),
        ]
        assert registrar.texts("Contact") == registrar.texts("Expires") == [None]

    on_stage(scenario)


def test_all_bindings_can_be_removed() -> None:
    """§10.2.2: `*` with Expires 0, and never otherwise."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants())
        await alice.remove_bindings()
        async with alice.registration():
            pass
        together = list(zip(registrar.texts("Contact"), registrar.texts("Expires"), strict=True))
        assert together[0] == ("*", "0")
        assert "*" not in [contact for contact, _ in together[1:]]

    on_stage(scenario)


def test_bindings_that_cannot_be_asked_for_raise() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", in_turn(Answer(404)))
        with pytest.raises(RequestRejected):
            await alice.bindings()

    on_stage(scenario)


def test_what_is_malformed_among_bindings_is_left_out() -> None:
    assert contacts_of(Response(200, headers=[("Contact", '"')])) == []
    assert len(contacts_of(Response(200, headers=[("Contact", "*, <sip:a@b>, nonsense")]))) == 1


# Ways: outbound proxy, Service-Route, Record-Route, addresses.


def test_a_register_goes_by_the_outbound_proxy_to_the_registrar() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, proxy="sip:192.0.2.2")
        proxy = await desk(stage, "proxy", grants())
        async with alice.registration(registrars=["sip:registrar.example.net"]):
            [request] = proxy.requests
            assert request.uri_text == "sip:registrar.example.net"
            assert request.headers.texts("Route") == ["<sip:192.0.2.2;lr>"]

    on_stage(scenario)


def test_the_service_route_is_the_way_of_all_but_register() -> None:
    """After the outbound proxy, in the registrar's own order, renewed with every 2xx (RFC 3608 §6.1)."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, proxy="sip:192.0.2.2")
        routes = "Service-Route: <sip:home1.example.com;lr>, <sip:home2.example.com;lr;x=y>\nService-Route: <sip:home3.example.com>"

        def answer(request: Request) -> Answer | None:
            return grants(60, routes)(request) if request.method == "REGISTER" else Answer(200)

        proxy = await desk(stage, "proxy", answer)
        async with alice.registration():
            await alice.options("sip:bob@example.org")
            assert proxy.requests[-1].headers.texts("Route") == [
                "<sip:192.0.2.2;lr>",
                "<sip:home1.example.com;lr>",
                "<sip:home2.example.com;lr;x=y>",
                "<sip:home3.example.com;lr>",
            ]
            await asyncio.sleep(40)
            assert proxy.requests[-1].method == "REGISTER"
            assert proxy.requests[-1].headers.texts("Route") == ["<sip:192.0.2.2;lr>"]
            proxy.script = grants(60)
            await asyncio.sleep(40)
            assert alice.core.route_set == ("<sip:192.0.2.2;lr>",), "a 2xx without one ends it"
            proxy.script = answer
            await asyncio.sleep(40)
            assert len(alice.core.route_set) == 4
        assert alice.core.route_set == ("<sip:192.0.2.2;lr>",)

    on_stage(scenario)


def test_a_service_route_that_begins_at_the_outbound_proxy_visits_it_once() -> None:
    outbound = ("<sip:proxy.example.com;lr>",)
    assert after_outbound(outbound, ("<sip:proxy.example.com;lr;id=7>", "<sip:b;lr>")) == ("<sip:proxy.example.com;lr;id=7>", "<sip:b;lr>")
    assert after_outbound(outbound, ("<sip:b;lr>",)) == (*outbound, "<sip:b;lr>")
    assert after_outbound((), ("<sip:b;lr>",)) == ("<sip:b;lr>",)
    assert after_outbound(outbound, ()) == outbound


@pytest.mark.parametrize("value", ["sip:no-brackets", "<tel:+358>", "<sip:%zz>", ""])
def test_a_service_route_that_cannot_be_read_is_none(value: str) -> None:
    assert service_route_of(Response(200, headers=[("Service-Route", value)])) == ()


def test_an_outbound_proxy_is_a_loose_router_whether_its_uri_says_so_or_not() -> None:
    assert loose_route("sip:proxy.example.com") == "<sip:proxy.example.com;lr>"
    assert loose_route("sip:proxy.example.com;lr;transport=tcp") == "<sip:proxy.example.com;lr;transport=tcp>"
    with pytest.raises(ValueError, match="proxy"):
        loose_route("mailto:proxy@example.com")


def test_a_record_route_in_the_answer_means_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", grants(600, "Record-Route: <sip:192.0.2.9;lr>"))
        async with alice.registration():
            assert alice.core.route_set == ()

    on_stage(scenario)


def test_refreshes_go_to_the_address_that_has_answered() -> None:
    """§10.2.4, although the name leads to another one by now; and to the others where that one is silent."""

    async def scenario(stage: Stage) -> None:
        resolve({DOMAIN: ["192.0.2.2", "192.0.2.3"]})
        alice = await stage.agent("alice", AOR)
        first = await desk(stage, "first", in_turn(Answer(503), grants(600)))
        second = await desk(stage, "second", in_turn(grants(600), grants(600), None))
        async with alice.registration() as registration:
            assert (len(first.asked), len(second.asked)) == (1, 1)
            await asyncio.sleep(310)
            assert (len(first.asked), len(second.asked)) == (1, 2)
            await asyncio.sleep(330)
            assert len(first.asked) == 2
            assert registration.fault is None

    on_stage(scenario)


def test_who_is_named_in_a_service_route_may_ask_for_the_password() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, password="secret")
        await desk(stage, "registrar", demands(grants(600, "Service-Route: <sip:192.0.2.3;lr>")))
        service = await desk(stage, "service", demands(in_turn(Answer(200)), status=407))
        async with alice.registration():
            await alice.options("sip:bob@example.org")
            assert ["proxy-authorization" in request.headers for request in service.requests] == [False, True]

    on_stage(scenario)


def test_two_realms_are_answered_at_once() -> None:
    """The proxy's and the registrar's own (§22.3)."""
    both = Answer(401, f"{challenge_line('example.com', 'n1')}\n{challenge_line('proxy', 'p1', status=407)}")

    async def scenario(stage: Stage) -> None:
        accounts = [Account("alice", "secret", "example.com"), Account("alice", "other", "proxy")]
        alice = await alice_of(stage, accounts=accounts)
        registrar = await desk(stage, "registrar", in_turn(both, grants()))
        async with alice.registration():
            request = registrar.requests[1]
            assert request.value("Authorization").realm == "example.com"
            assert request.value("Proxy-Authorization").realm == "proxy"

    on_stage(scenario)


@pytest.mark.parametrize(("password", "is_taken"), [("secret", True), ("guessed", False)])
def test_our_own_server_takes_a_registration_for_the_right_password(password: str, is_taken: bool) -> None:
    """423, challenge, refreshes and removal with a registrar that is no script."""

    async def scenario(stage: Stage) -> None:
        host = "192.0.2.100"
        config = Config(listen=[f"udp://{host}:5060"], domains=[DOMAIN], auth="digest")
        server = Server(config, report=lambda text: None, open_transports=functools.partial(stage.network.host, host))
        await server.start()
        server.users.add("alice", DOMAIN, "secret")
        resolve({DOMAIN: [host]})
        alice = await stage.agent("alice", AOR, password=password)
        registration = alice.registration(expires=10, q=0.25)
        if is_taken:
            async with registration:
                await asyncio.sleep(7200)
                assert registration.is_registered
                [binding] = await alice.bindings()
                assert (str(binding.uri), binding.q) == ("sip:alice@192.0.2.1:5060", 0.25)
            assert await alice.bindings() == []
        else:
            with pytest.raises(AuthenticationFailed):
                await registration.register()
        await server.close()

    on_stage(scenario)
