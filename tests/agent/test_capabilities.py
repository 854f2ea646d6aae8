"""What a party can do, said and asked (RFC 3261 §11, RFC 3840, RFC 3264 §9)."""

from __future__ import annotations

import pytest

from ringback import AuthenticationFailed, CallRejected, IncomingCall, RequestTimedOut, Response, Unreachable, UserAgent
from ringback.sdp.description import SessionDescription
from tests.agent.desk import Answer, challenge, desk, in_turn, resolve
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party


async def takes_calls(call: IncomingCall) -> None:
    """Somebody is there."""
    await call.answer()
    await call.ended()


async def cast(stage: Stage, **options: object) -> tuple[UserAgent, Party]:
    """Alice, an agent who takes calls, and Bob, who is a test."""
    options.setdefault("on_call", takes_calls)
    alice = await stage.agent("alice", **options)
    return alice, await stage.party("bob", "alice")


async def asked(bob: Party, status: int = 200, *, extra: str = "", to: str | None = None) -> Response:
    """What Alice answers to an OPTIONS of Bob's."""
    bob.ask("OPTIONS", "sip:alice@192.0.2.1", extra=extra, to=to)
    response: Response = await bob.hears(f"{status} OPTIONS")
    return response


# Asked by others.


def test_options_are_answered_with_all_we_can_do() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        response = await asked(bob)
        assert {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"} <= set(response.headers.values("Allow"))
        assert response.headers.texts("Accept") == ["application/sdp", "application/dtmf-relay", "application/dtmf"]
        assert response.headers.texts("Accept-Encoding") == ["identity"]
        assert response.headers.texts("Accept-Language") == ["en"]
        assert response.supported == alice.core.extensions
        assert response.to_tag is not None

    on_stage(scenario)


def test_supported_is_there_even_where_nothing_is() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        alice.core.extensions.clear()
        assert (await asked(bob)).headers.text("Supported") == ""

    on_stage(scenario)


def test_the_contact_has_the_feature_tags_of_the_registration() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage, features={"automata": None, "description": "<the desk>"})
        contact = (await asked(bob)).contact
        assert contact.uri_text == "sip:alice@192.0.2.1:5060"
        assert contact.params["audio"] is None
        assert contact.params["automata"] is None
        assert contact.params["description"] == '"<the desk>"'
        assert str(contact.params["methods"]).strip('"').split(",") == list(alice.core.serving)
        assert "video" not in contact.params

    on_stage(scenario)


def test_only_methods_and_events_that_are_known_and_served_are_features() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        alice.core.serving["DANCE"] = None
        alice.core.event_packages["dialog"] = alice.core.refuse  # type: ignore[assignment]  # nobody subscribes here
        alice.core.extensions[:] = ["replaces", "timer"]
        params = (await asked(bob)).contact.params
        assert "DANCE" not in str(params["methods"])
        assert params["events"] == '"dialog"'
        assert params["extensions"] == '"replaces,timer"'
        alice.core.extensions.clear()
        assert "extensions" not in (await asked(bob)).contact.params

    on_stage(scenario)


@pytest.mark.parametrize("features", [{"two words": None}, {"description": 'a "quote'}, {"description": "a\r\nb"}])
def test_a_feature_that_cannot_be_written_is_refused_at_once(features: dict[str, str | None]) -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(ValueError, match="feature tag"):
            await stage.agent("alice", features=features)

    on_stage(scenario)


@pytest.mark.parametrize(
    ("accept", "has_body"),
    [
        ("", True),
        ("Accept: application/sdp", True),
        ("Accept: text/plain, application/*;q=0.3", True),
        ("Accept: */*", True),
        ("Accept: text/plain", False),
        ("Accept: */*, application/sdp;q=0", False),
        ("Accept: application/sdp;q=0, */*", False),
        ("Accept:", False),
        ("Accept: nonsense", True),
    ],
)
def test_the_body_describes_our_media_where_the_asker_takes_that(accept: str, has_body: bool) -> None:
    async def scenario(stage: Stage) -> None:
        _, bob = await cast(stage)
        response = await asked(bob, extra=accept)
        assert bool(response.body) is has_body
        assert ("content-type" in response.headers) is has_body

    on_stage(scenario)


def test_media_are_described_so_that_nobody_takes_it_for_an_offer() -> None:
    """RFC 3264 §9: every port 0, t=0 0, a session of its own each time, a codec beside each format."""

    async def scenario(stage: Stage) -> None:
        _, bob = await cast(stage)
        first, second = [SessionDescription.parse((await asked(bob)).body) for _ in range(2)]
        assert [(medium.kind, medium.port) for medium in first.media] == [("audio", 0)]
        assert [codec.name for codec in first.media[0].codecs] == ["PCMU", "PCMA", "telephone-event"]
        assert first.times == [(0, 0)]
        assert first.origin.session_id != second.origin.session_id

    on_stage(scenario)


def test_the_status_is_the_one_that_a_call_would_get() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage, on_call=None)
        for status in (480, 486, 600):
            alice.refuses_with = None if status == 480 else status
            response = await asked(bob, status)
            assert not response.body
            invite = bob.ask("INVITE", "sip:alice@192.0.2.1")
            refused = await bob.hears(f"{status} INVITE")
            bob.ack(invite, refused)
        alice.on_call = takes_calls
        await asked(bob, 600)
        alice.refuses_with = None
        await asked(bob, 200)

    on_stage(scenario)


def test_who_refuses_calls_does_not_hear_of_them() -> None:
    async def scenario(stage: Stage) -> None:
        async def never(call: IncomingCall) -> None:
            pytest.fail("not to be called")

        bob = await stage.agent("bob", on_call=never)
        bob.refuses_with = 486
        alice = await stage.agent("alice")
        with pytest.raises(CallRejected) as raised:
            await alice.call(stage.uri("bob"))
        assert raised.value.status == 486
        assert (await alice.options(stage.uri("bob"))).status == 486

    on_stage(scenario)


def test_within_a_dialog_the_answer_is_the_same_and_the_dialog_unmoved() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.agent("bob", on_call=takes_calls)
        outside = await alice.options(stage.uri("bob"))
        async with alice.call(stage.uri("bob")) as call:
            bob.refuses_with = 486
            session = call.session
            assert session is not None
            request = session.request("OPTIONS")
            request.headers.append("Accept", "application/sdp")
            inside = (await session.ask(request)).response
            assert inside is not None
            assert inside.status == 200
            for name in ("Contact", "Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"):
                assert inside.headers.texts(name) == outside.headers.texts(name)
            assert bool(inside.body) and bool(outside.body)
            assert call.is_answered

    on_stage(scenario)


# Asked by us.


def test_we_ask_with_accept_allow_supported_and_contact() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        answering = await desk(stage, "carol", in_turn(Answer(200, "Allow: INVITE, DANCE")))
        response = await alice.options("sip:carol@192.0.2.3")
        assert response.headers.values("Allow") == ["INVITE", "DANCE"]
        [request] = answering.requests
        assert request.uri_text == "sip:carol@192.0.2.3"
        assert request.headers.texts("Accept") == ["application/sdp"]
        assert request.contact.uri_text == "sip:alice@192.0.2.1:5060"
        assert "INVITE" in request.headers.values("Allow")
        assert request.supported == alice.core.extensions
        assert bob.kinds() == []

    on_stage(scenario)


@pytest.mark.parametrize("status", [200, 302, 404, 408, 480, 486, 503, 603])
def test_whatever_the_answer_is_it_is_an_answer(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await desk(stage, "bob", in_turn(Answer(status)))
        assert (await alice.options("sip:bob@192.0.2.2")).status == status

    on_stage(scenario)


def test_no_answer_is_an_exception() -> None:
    async def scenario(stage: Stage) -> None:
        resolve({})
        alice = await stage.agent("alice")
        await desk(stage, "bob", in_turn(None))
        with pytest.raises(RequestTimedOut):
            await alice.options("sip:bob@192.0.2.2")
        with pytest.raises(Unreachable):
            await alice.options("sip:bob@nowhere.example.net")
        await desk(stage, "carol", in_turn(challenge()))
        with pytest.raises(AuthenticationFailed):
            await alice.options("sip:carol@192.0.2.3")

    on_stage(scenario)
