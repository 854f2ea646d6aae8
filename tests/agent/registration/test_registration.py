"""Registrations: made, refreshed, refused, lost, made again, removed (RFC 3261 §10.2, RFC 3608, RFC 3327, RFC 5626 §4.5)."""

from __future__ import annotations

import asyncio
import functools
from itertools import pairwise

import pytest

from ringback import AuthenticationFailed, RequestRejected, RequestTimedOut, Unreachable, UserAgent
from ringback.agent.registration.registrar import after_outbound, contacts_of, loose_route, min_expires, registrar_uri, service_route_of
from ringback.agent.registration.registration import Registration, back_off, granted, is_definite, refresh_after
from ringback.digest import Account
from ringback.message.message import Request, Response
from ringback.server.config import Config
from ringback.server.server import Server
from tests.agent.desk import Answer, challenge, challenge_line, demands, desk, grants, in_turn, resolve
from tests.agent.stage import Stage, on_stage

DOMAIN = "example.com"
AOR = f"sip:alice@{DOMAIN}"
REGISTRAR = "192.0.2.2"


async def alice_of(stage: Stage, **options: object) -> UserAgent:
    """Alice, whose registrar is the next host that comes on the stage."""
    resolve({DOMAIN: [REGISTRAR]})
    return await stage.agent("alice", AOR, **options)


# A registration that goes well.


def test_a_registration_is_made_refreshed_and_removed() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants(600))
        async with alice.registration() as registration:
            assert registration.is_registered
            assert registration.fault is None
            await asyncio.sleep(200)
            assert registration.expires_in == 400
            await asyncio.sleep(200)
            assert len(registrar.asked) == 2, "refreshed about halfway"
        assert not registration.is_registered
        assert registration.expires_in is None
        assert registrar.texts("Expires") == ["3600", "3600", "0"]
        assert registrar.texts("Contact")[2] == "<sip:alice@192.0.2.1:5060>", "our own binding and no other is removed"

    on_stage(scenario)


def test_a_register_is_what_the_rfc_wants() -> None:
    """Request-URI, To, From, Call-ID, CSeq and Contact (§10.2)."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, display_name="Alice")
        registrar = await desk(stage, "registrar", grants())
        async with alice.registration(expires=1800):
            [request] = registrar.requests
            assert (request.method, request.uri_text) == ("REGISTER", f"sip:{DOMAIN}")
            assert str(request.to) == f"<{AOR}>"
            assert (request.from_.uri_text, request.from_.display_name) == (AOR, "Alice")
            assert request.from_tag is not None and request.to_tag is None
            assert request.headers.text("CSeq") == "1 REGISTER"
            assert request.headers.text("Max-Forwards") == "70"
            assert request.contact.uri_text == "sip:alice@192.0.2.1:5060"
            assert "action" not in request.contact.params
            assert request.expires == 1800
            assert "path" in request.supported
            assert "route" not in request.headers

    on_stage(scenario)


def test_refreshes_have_the_same_call_id_and_a_rising_cseq() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", grants(60))
        async with alice.registration():
            await asyncio.sleep(200)
        async with alice.registration():
            await alice.bindings()
        assert len(set(registrar.texts("Call-ID"))) == 1, "one Call-ID as long as the party lives"
        numbers = [request.cseq.number for request in registrar.requests]
        assert numbers == list(range(1, len(numbers) + 1))

    on_stage(scenario)


def test_challenges_count_in_the_cseq_too() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, password="secret")
        registrar = await desk(stage, "registrar", in_turn(challenge(), grants(60)))
        async with alice.registration():
            pass
        assert [request.cseq.number for request in registrar.requests] == [1, 2, 3]
        assert ["authorization" in request.headers for request in registrar.requests] == [False, True, True]

    on_stage(scenario)


def test_the_granted_time_of_our_own_binding_counts() -> None:
    """Not that of others, and not what was asked for; URIs are compared as §19.1.4 says."""

    def answer(request: Request) -> Answer:
        other = "Contact: <sip:alice@192.0.2.77>;expires=20"
        return Answer(200, f"{other}\nContact: <SIP:%61lice@192.0.2.1:5060>;expires=1000\nExpires: 30")

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", answer)
        async with alice.registration():
            await asyncio.sleep(445)
            assert len(registrar.asked) == 1
            await asyncio.sleep(60)
            assert len(registrar.asked) == 2
        assert not any("192.0.2.77" in str(text) for text in registrar.texts("Contact")), "another's binding is not refreshed"

    on_stage(scenario)


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("Contact: <sip:alice@192.0.2.1>;expires=100\nExpires: 50", 100),
        ("Contact: <sip:alice@192.0.2.1>\nExpires: 50", 50),
        ("Contact: <sip:alice@192.0.2.1>;expires=rubbish", 3600),
        ("Contact: <sip:alice@192.0.2.1>;expires=7, <sip:alice@192.0.2.1>;expires=9", 9),
        ("Contact: <sip:alice@192.0.2.1>;expires=0", 0),
        ("Contact: <sip:elsewhere@192.0.2.9>;expires=7", 1800),
        ("Contact: <sip:elsewhere@192.0.2.9>;expires=7\nExpires: 70", 70),
        ("Contact: <sip:%zz@192.0.2.1>;expires=7, <<>, <sip:alice@192.0.2.1>;expires=90", 90),
        ('Contact: "never closed', 1800),
        ("", 1800),
    ],
)
def test_how_long_a_binding_was_granted(lines: str, seconds: int) -> None:
    response = Response(200)
    for line in filter(None, lines.split("\n")):
        response.headers.append(*line.split(": ", 1))
    assert granted(response, "<sip:alice@192.0.2.1>", 1800) == seconds


@pytest.mark.parametrize(("granted_seconds", "soonest", "latest"), [(60, 27, 30), (1200, 540, 600), (3600, 2700, 3000), (4, 5, 5)])
def test_a_binding_is_refreshed_well_before_its_end(granted_seconds: int, soonest: float, latest: float) -> None:
    assert refresh_after(granted_seconds, 1.0) == pytest.approx(soonest)
    assert refresh_after(granted_seconds, 0.0) == pytest.approx(latest)


def test_the_contact_says_what_we_can_do_and_how_much_we_like_to_be_called_there() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, features={"automata": None, "language": "en,fi"})
        registrar = await desk(stage, "registrar", grants(60))
        async with alice.registration(q=0.5):
            await asyncio.sleep(40)
        params = [request.contact.params for request in registrar.requests[:2]]
        assert params[0] == params[1], "a refresh says it again, or it would be forgotten"
        assert params[0]["q"] == "0.5"
        assert params[0]["audio"] is None
        assert params[0]["automata"] is None
        assert params[0]["language"] == '"en,fi"'
        assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= set(str(params[0]["methods"]).strip('"').split(","))

    on_stage(scenario)


@pytest.mark.parametrize(("options", "fault"), [({"q": 1.5}, "preference"), ({"expires": 0}, "last"), ({"registrars": ()}, "registrar")])
def test_what_cannot_be_asked_for_is_said_at_once(options: dict[str, object], fault: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(ValueError, match=fault):
            alice.registration(**options)  # type: ignore[arg-type]  # wrong on purpose

    on_stage(scenario)


@pytest.mark.parametrize("uri", ["sip:bob@example.com", "tel:+358", "mailto:x@example.com"])
def test_a_registrar_has_no_user(uri: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(ValueError, match="registrar"):
            alice.registration(registrars=[uri])

    on_stage(scenario)


def test_the_registrar_is_at_the_domain_of_the_address_of_record() -> None:
    assert registrar_uri("sip:alice:pw@example.com:5070;transport=tcp?Subject=x") == "sip:example.com:5070;transport=tcp"
    assert registrar_uri("sips:alice@example.com") == "sips:example.com"
    with pytest.raises(ValueError, match="address-of-record"):
        registrar_uri("tel:+358")


# A registrar that says no.


def test_a_wrong_password_is_tried_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, password="wrong")
        registrar = await desk(stage, "registrar", in_turn(challenge(), challenge(nonce="n2")))
        with pytest.raises(AuthenticationFailed) as raised:
            async with alice.registration():
                pytest.fail("not registered")
        assert raised.value.status == 401
        await asyncio.sleep(4000)
        assert len(registrar.asked) == 2, "once without credentials, once with wrong ones, never again"

    on_stage(scenario)


def test_without_a_password_a_challenge_is_the_end() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(challenge()))
        with pytest.raises(AuthenticationFailed):
            await alice.registration().register()
        assert len(registrar.asked) == 1

    on_stage(scenario)


@pytest.mark.parametrize("status", [400, 403, 404, 500, 600])
def test_a_refusal_is_raised_with_its_status(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(Answer(status)))
        registration = alice.registration()
        with pytest.raises(RequestRejected) as raised:
            await registration.register()
        assert raised.value.status == status
        assert registration.fault is raised.value
        assert not registration.is_registered
        await asyncio.sleep(4000)
        assert len(registrar.asked) == 1, "who was told does not go on behind the program's back"

    on_stage(scenario)


def test_a_registrar_that_is_silent_is_not_asked_again_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(None))
        with pytest.raises(RequestTimedOut):
            await alice.registration().register()
        await asyncio.sleep(100)
        assert {request.via.branch for request in registrar.requests} == {registrar.requests[0].via.branch}

    on_stage(scenario)


@pytest.mark.parametrize("registrar", [None, "sip:nowhere.example.net", "sip:192.0.2.2;transport=sctp", "sip:224.0.1.75;ttl=x"])
def test_where_no_way_leads_it_is_unreachable(registrar: str | None) -> None:
    async def scenario(stage: Stage) -> None:
        resolve({})
        alice = await stage.agent("alice", AOR)
        with pytest.raises(Unreachable):
            await alice.registration(registrars=[registrar]).register()

    on_stage(scenario)


def test_an_interval_too_brief_is_made_longer() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(Answer(423, "Min-Expires: 1800"), grants(1800)))
        async with alice.registration(expires=60) as registration:
            assert registration.is_registered
            await asyncio.sleep(1500)
        assert registrar.texts("Expires") == ["60", "1800", "1800", "0"], "it need not be told again"

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["", "Min-Expires: 60", "Min-Expires: soon"])
def test_an_interval_too_brief_that_cannot_be_helped_is_no_loop(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", in_turn(Answer(423, extra)))
        with pytest.raises(RequestRejected) as raised:
            await alice.registration(expires=60).register()
        assert raised.value.status == 423
        assert len(registrar.asked) == 1

    on_stage(scenario)


def test_a_registrar_whose_shortest_time_grows_is_not_followed_for_ever() -> None:
    def longer(request: Request) -> Answer:
        return Answer(423, f"Min-Expires: {int(request.headers.text('Expires') or 0) + 1}")

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        registrar = await desk(stage, "registrar", longer)
        with pytest.raises(RequestRejected):
            await alice.registration().register()
        assert len(registrar.asked) == 3

    on_stage(scenario)


def test_a_binding_that_lasts_no_time_is_none() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        await desk(stage, "registrar", grants(0))
        with pytest.raises(RequestRejected, match="keeps no binding"):
            await alice.registration().register()

    on_stage(scenario)


def test_min_expires_is_read_or_nothing() -> None:
    assert min_expires(Response(423, headers=[("Min-Expires", "90")])) == 90
    assert min_expires(Response(423, headers=[("Min-Expires", "-1")])) == 0
    assert min_expires(Response(423)) == 0


# A registrar that sends us elsewhere.


def test_a_redirection_is_followed_and_stays() -> None:
    """§10.2.4: refreshes go where the registration was sent, if it was redirected."""

    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage, password="secret")
        first = await desk(stage, "registrar", demands(in_turn(Answer(302, "Contact: <sip:alice@192.0.2.3;method=INVITE?Subject=x>"))))
        second = await desk(stage, "second", demands(grants(60)))
        async with alice.registration():
            await asyncio.sleep(40)
        assert len(first.asked) == 2
        assert [request.uri_text for request in second.requests] == ["sip:192.0.2.3"] * len(second.requests)
        assert second.texts("Expires") == ["3600", "3600", "0"], "registered, refreshed, removed"
        assert len({*first.texts("Call-ID"), *second.texts("Call-ID")}) == 1

    on_stage(scenario)


def test_of_several_places_the_next_is_tried_when_one_fails() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        contacts = "Contact: <sip:192.0.2.4>;q=0.2, <sip:192.0.2.3>;q=0.9, <sip:example.com>;q=1"
        first = await desk(stage, "registrar", in_turn(Answer(300, contacts)))
        broken = await desk(stage, "broken", in_turn(Answer(500)))
        good = await desk(stage, "good", grants())
        async with alice.registration() as registration:
            assert registration.is_registered
            assert [len(one.asked) for one in (first, broken, good)] == [1, 1, 1]

    on_stage(scenario)


def test_two_registrars_that_name_each_other_are_each_asked_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        one = await desk(stage, "one", in_turn(Answer(302, "Contact: <sip:192.0.2.3>")))
        other = await desk(stage, "other", in_turn(Answer(302, "Contact: <sip:example.com>")))
        with pytest.raises(RequestRejected) as raised:
            await alice.registration().register()
        assert raised.value.status == 302
        assert (len(one.asked), len(other.asked)) == (1, 1)

    on_stage(scenario)


def test_a_redirection_is_forgotten_when_it_leads_nowhere_any_more() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await alice_of(stage)
        first = await desk(stage, "registrar", in_turn(Answer(302, "Contact: <sip:192.0.2.3>"), grants(600)))
        second = await desk(stage, "second", in_turn(grants(60), Answer(500)))
        async with alice.registration() as registration:
            await asyncio.sleep(120)
            assert registration.is_registered
            assert (len(first.asked), len(second.asked)) == (2, 2)

    on_stage(scenario)


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
