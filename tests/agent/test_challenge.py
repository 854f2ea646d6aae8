"""Challenges and our answers to them, on the wire (RFC 3261 §22.1 to §22.3, §8.1.3.5; reliability V34)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import AuthenticationFailed, CallRejected, RequestRejected, UserAgent
from ringback.agent.exchange import Exchange
from ringback.digest import Account
from ringback.message.fields.credentials import Credentials
from ringback.message.message import Request
from tests.agent.desk import Answer, Desk, challenge, challenge_line, demands, desk, in_turn
from tests.agent.stage import Stage, on_stage

HOME = "192.0.2.2"
AOR = f"sip:alice@{HOME}"
BOB = f"sip:bob@{HOME}"
BODY = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
TAKEN = Answer(200, "Content-Type: application/sdp", BODY)


async def cast(stage: Stage, *script: Any, **options: Any) -> tuple[UserAgent, Desk]:
    """Alice, with a password for the server at 192.0.2.2, and that server."""
    options.setdefault("password", "secret")
    alice = await stage.agent("alice", AOR, **options)
    return alice, await desk(stage, "home", in_turn(*script))


async def ask(alice: UserAgent, method: str = "MESSAGE", uri: str = BOB) -> Exchange:
    """A request of Alice's and its final response."""
    return await alice.core.ask(alice.core.request(method, uri))


def status_of(exchange: Exchange) -> int:
    assert exchange.response is not None
    return exchange.response.status


def shown(request: Request) -> list[tuple[str, str | None]]:
    """The credentials in a request: by which field, for which realm."""
    return [(name, credentials.realm) for name in ("Authorization", "Proxy-Authorization") for credentials in request.headers.values(name)]


# Outside dialogs.


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "REFER", "REGISTER", "DANCE"])
def test_a_challenge_to_any_method_is_answered(method: str, status: int) -> None:
    """With the same Call-ID, From and To, a CSeq number one higher and a new branch."""

    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(status=status), Answer(404))
        assert status_of(await ask(alice, method)) == 404
        first, second = home.requests
        assert shown(first) == []
        assert shown(second) == [("Authorization" if status == 401 else "Proxy-Authorization", "example.com")]
        for name in ("Call-ID", "From", "To"):
            assert first.headers.text(name) == second.headers.text(name)
        assert [(one.cseq.number, one.cseq.method) for one in home.requests] == [(1, method), (2, method)]
        assert first.via.branch != second.via.branch
        assert len(second.vias) == 1

    on_stage(scenario)


def test_what_was_asked_once_is_shown_unasked_with_the_nonce_counted() -> None:
    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(), Answer(200))
        for _ in range(3):
            assert status_of(await ask(alice)) == 200
        assert len(home.requests) == 4
        credentials: list[Credentials] = [request.value("Authorization") for request in home.requests[1:]]
        assert [one.params["nc"] for one in credentials] == ["00000001", "00000002", "00000003"]
        assert {one.nonce for one in credentials} == {"n1"}

    on_stage(scenario)


def test_a_401s_credentials_count_for_one_destination() -> None:
    """§22.2: for a given To."""

    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(), Answer(200))
        await ask(alice)
        await ask(alice, uri=f"sip:carol@{HOME}")
        assert [bool(shown(request)) for request in home.requests] == [False, True, False]

    on_stage(scenario)


def test_a_wrong_password_is_tried_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(nonce="n1"), challenge(nonce="n2"))
        assert status_of(await ask(alice)) == 401
        assert len(home.requests) == 2
        with pytest.raises(AuthenticationFailed):
            await alice.options(BOB)

    on_stage(scenario)


def test_a_call_refused_for_its_password_says_so() -> None:
    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(status=407, nonce="n1"), challenge(status=407, nonce="n2"))
        with pytest.raises(CallRejected) as raised:
            await alice.call(BOB)
        assert isinstance(raised.value, AuthenticationFailed)
        assert raised.value.status == 407
        assert len(home.requests) == 2

    on_stage(scenario)


def test_a_stale_nonce_is_renewed_once() -> None:
    async def scenario(stage: Stage) -> None:
        stale = challenge(nonce="n2", stale=True)
        alice, home = await cast(stage, challenge(), stale, Answer(200))
        assert status_of(await ask(alice)) == 200
        assert [request.cseq.number for request in home.requests] == [1, 2, 3]
        assert home.requests[2].value("Authorization").nonce == "n2"

    on_stage(scenario)


def test_a_server_whose_nonces_are_always_stale_is_no_loop() -> None:
    async def scenario(stage: Stage) -> None:
        answers = [challenge(nonce=f"n{number}", stale=True) for number in range(20)]
        alice, home = await cast(stage, *answers)
        assert status_of(await ask(alice)) == 401
        assert len(home.requests) <= 3

    on_stage(scenario)


def test_a_realm_that_nobody_has_an_account_for_is_not_answered() -> None:
    """The exception's response has the realm, to be shown (§22.1)."""

    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge("elsewhere"), realm="example.com")
        with pytest.raises(AuthenticationFailed) as raised:
            await alice.options(BOB)
        assert raised.value.response is not None
        assert raised.value.response.value("WWW-Authenticate").realm == "elsewhere"
        assert [shown(request) for request in home.requests] == [[]]

    on_stage(scenario)


TWO = (Account("alice", "secret", "example.com"), Account("al", "other", "proxy"))


def test_two_realms_at_once_are_answered_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        both = Answer(407, f"{challenge_line('proxy', 'p1', status=407)}\n{challenge_line('example.com', 'n1', status=407)}")
        alice, home = await cast(stage, both, Answer(200), password=None, accounts=TWO)
        assert status_of(await ask(alice)) == 200
        assert sorted(shown(home.requests[1])) == [("Proxy-Authorization", "example.com"), ("Proxy-Authorization", "proxy")]
        assert {one.params["username"] for one in home.requests[1].headers.values("Proxy-Authorization")} == {'"alice"', '"al"'}

    on_stage(scenario)


def test_two_realms_one_after_the_other_are_both_shown_in_the_end() -> None:
    """The proxy asks first, then the registrar behind it (§22.3)."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", AOR, accounts=TWO)
        home = await desk(stage, "home", demands(demands(in_turn(Answer(200)), "example.com"), "proxy", status=407))
        assert status_of(await ask(alice)) == 200
        assert [sorted(shown(request)) for request in home.requests] == [
            [],
            [("Proxy-Authorization", "proxy")],
            [("Authorization", "example.com"), ("Proxy-Authorization", "proxy")],
        ]

    on_stage(scenario)


def test_one_realm_of_two_unknown_still_gets_what_we_have_and_no_more() -> None:
    async def scenario(stage: Stage) -> None:
        both = Answer(401, f"{challenge_line('elsewhere', 'e1')}\n{challenge_line('example.com', 'n1')}")
        alice, home = await cast(stage, both, realm="example.com")
        assert status_of(await ask(alice)) == 401
        assert [shown(request) for request in home.requests] == [[], [("Authorization", "example.com")]]

    on_stage(scenario)


@pytest.mark.parametrize(
    "line",
    [
        "",
        'WWW-Authenticate: Basic realm="example.com"',
        "WWW-Authenticate: Digest",
        'WWW-Authenticate: Digest realm="example.com',
        'WWW-Authenticate: Digest realm="example.com", nonce="n", algorithm=ROT13',
        'Proxy-Authenticate: Bearer realm="example.com"',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_the_answer(line: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, Answer(401, line))
        assert status_of(await ask(alice)) == 401
        assert len(home.requests) == 1

    on_stage(scenario)


def test_a_call_given_up_is_not_placed_again_with_credentials() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", AOR, password="secret")
        home = await stage.party("home", "alice")
        call = alice.call(BOB)
        await call.place()
        invite = await home.hears("INVITE")
        call.cancel()
        home.reply(invite, 401, extra=challenge_line("example.com", "n1"))
        await home.hears("ACK")
        await home.hears_nothing(40)

    on_stage(scenario)


def test_ack_and_cancel_are_never_challenged_but_the_ack_has_the_invites_credentials() -> None:
    """§22.1: the ACK of the 2xx shows what the INVITE showed; a CANCEL shows nothing."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", AOR, password="secret")
        home = await stage.party("home", "alice")
        call = alice.call(BOB)
        await call.place()
        first = await home.hears("INVITE")
        home.reply(first, 407, extra=challenge_line("example.com", "n1", status=407))
        refusal_ack = await home.hears("ACK")
        assert (refusal_ack.cseq.number, refusal_ack.via.branch) == (first.cseq.number, first.via.branch)
        invite = await home.hears("INVITE")
        home.reply(invite, 200, extra="Content-Type: application/sdp", body=BODY)
        await call
        ack = await home.hears("ACK")
        assert ack.cseq.number == invite.cseq.number == 2
        assert ack.headers.text("Proxy-Authorization") == invite.headers.text("Proxy-Authorization")
        hanging = asyncio.ensure_future(call.hang_up())
        home.reply(await home.hears("BYE"), 200)
        await hanging
        other = alice.call(f"sip:carol@{HOME}")
        await other.place()
        invite = await home.hears("INVITE")
        assert shown(invite) == [("Proxy-Authorization", "example.com")]
        home.reply(invite, 180)
        await other.ringing
        other.cancel()
        cancel = await home.hears("CANCEL")
        assert shown(cancel) == []
        home.reply(cancel, 200)
        home.reply(invite, 487)
        await home.hears("ACK")

    on_stage(scenario)


# Within dialogs, and by whom (V34).


@pytest.mark.parametrize("status", [401, 407])
def test_our_own_server_may_ask_within_a_dialog(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        script = (challenge(status=status), TAKEN, challenge(status=status, nonce="n2", stale=True), Answer(200))
        alice, home = await cast(stage, *script)
        async with alice.call(BOB):
            pass
        assert [request.method for request in home.requests] == ["INVITE", "INVITE", "BYE", "BYE"]
        assert [request.cseq.number for request in home.requests] == [1, 2, 3, 4]
        assert home.requests[3].to_tag == home.requests[2].to_tag

    on_stage(scenario)


@pytest.mark.parametrize("realm", ["evil.example.net", "example.com"])
@pytest.mark.parametrize("status", [401, 407])
def test_a_callee_who_challenges_our_bye_gets_nothing(status: int, realm: str) -> None:
    """V34: neither for a realm of its own nor for ours."""

    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, challenge(), Answer(200))
        await ask(alice)
        bob = await desk(stage, "bob", in_turn(TAKEN, challenge(realm, status=status)))
        async with alice.call("sip:bob@192.0.2.3"):
            pass
        assert [request.method for request in bob.requests] == ["INVITE", "BYE"]
        assert [shown(request) for request in bob.requests] == [[], []]
        assert [bool(shown(request)) for request in home.requests] == [False, True]

    on_stage(scenario)


def test_a_callee_behind_our_proxy_who_challenges_for_a_realm_of_its_own_gets_nothing() -> None:
    """V34: the BYE goes by our proxy, which passes on a 407 of the callee's."""

    async def scenario(stage: Stage) -> None:
        taken = TAKEN._replace(extra=f"{TAKEN.extra}\nRecord-Route: <sip:{HOME};lr>")
        alice, home = await cast(
            stage, challenge(status=407), taken, challenge("evil.example.net", status=407), Answer(200), proxy=f"sip:{HOME}"
        )
        async with alice.call("sip:bob@example.org"):
            pass
        bye = home.requests[2]
        assert [request.method for request in home.requests] == ["INVITE", "INVITE", "BYE"]
        assert "evil.example.net" not in [realm for _, realm in shown(bye)]

    on_stage(scenario)


@pytest.mark.parametrize("status", [401, 407])
def test_a_stranger_who_challenges_our_request_gets_nothing(status: int) -> None:
    """Although our password is for no realm yet."""

    async def scenario(stage: Stage) -> None:
        alice, home = await cast(stage, Answer(200))
        stranger = await desk(stage, "stranger", in_turn(challenge(status=status)))
        with pytest.raises(RequestRejected):
            await alice.options("sip:bob@192.0.2.3")
        assert [shown(request) for request in stranger.requests] == [[]]
        assert home.requests == []

    on_stage(scenario)


def test_a_redirection_into_the_wild_gets_a_call_without_credentials() -> None:
    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage, challenge(), Answer(302, "Contact: <sip:bob@192.0.2.3>"))
        stranger = await desk(stage, "stranger", in_turn(challenge()))
        with pytest.raises(CallRejected):
            await alice.call(BOB)
        assert [shown(request) for request in stranger.requests] == [[]]

    on_stage(scenario)
