"""Registrations: made, refreshed, refused, lost, made again, removed (RFC 3261 §10.2, RFC 3608, RFC 3327, RFC 5626 §4.5)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import AuthenticationFailed, RequestRejected, RequestTimedOut, Unreachable, UserAgent
from ringback.agent.registration.binding import granted, refresh_after
from ringback.agent.registration.registrar import min_expires, registrar_uri
from ringback.message.message import Request, Response
from tests.agent.desk import Answer, challenge, demands, desk, grants, in_turn, resolve
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
