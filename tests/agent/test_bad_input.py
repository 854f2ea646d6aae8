"""What is wrong with a request, and the answer it gets: both sides end cleanly and nothing is left (RFC 3261 §8.2, §12.2.2, §14.2)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ringback import CallEnded, CallRejected, IncomingCall, IncomingMessage, Request, RequestFailed, Response, UserAgent
from ringback.agent.event.event_package import EventPackage
from ringback.message.derive import cancel_of, response_to
from tests.agent.call.test_incoming_call import BOB, OFFER, SDP, acknowledged
from tests.agent.desk import resolve
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party
from tests.torture.corpus import ALL
from tests.torture.mutation import mutants


async def answer(call: IncomingCall) -> None:
    """Answers and listens until the end."""
    await call.answer()
    await call.ended()


async def ring(call: IncomingCall) -> None:
    """Rings until the end."""
    await call.ring()
    await call.ended()


def read(_message: IncomingMessage) -> None:
    """Takes a message."""


async def cast(stage: Stage, **options: Any) -> tuple[UserAgent, Party]:
    """Bob, an agent who answers, and Alice, who is a test."""
    options.setdefault("on_call", answer)
    options.setdefault("on_message", read)
    bob = await stage.agent("bob", **options)
    return bob, await stage.party("alice", "bob")


async def called(alice: Party) -> Dialog:
    """A call of Alice's that Bob has answered."""
    return await acknowledged(alice, alice.ask("INVITE", BOB, body=OFFER, extra=SDP))


async def hung_up(alice: Party, dialog: Dialog, cseq: int) -> None:
    """The call still stands, and ends with a BYE."""
    alice.within("BYE", dialog, cseq=cseq)
    await alice.hears("200 BYE")


async def refused(alice: Party, request: Request, status: int) -> Response:
    """The refusal of a request, acknowledged if that was an INVITE."""
    response: Response = await alice.hears(f"{status} {request.method}")
    if request.method == "INVITE":
        alice.ack(request, response)
    return response


# Outside of dialogs.


@pytest.mark.parametrize(
    "body",
    [
        "v=0",
        "v=1\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\n",
        OFFER.replace("m=audio 4000", "m=audio port"),
        OFFER.replace("c=IN IP4 192.0.2.2", "c=IN IP4"),
        OFFER.replace("o=", "x="),
        "\0" * 100,
        "m=" * 5000,
    ],
)
def test_a_description_that_cannot_be_read_gets_488_with_a_warning(body: str) -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage)
        request = alice.ask("INVITE", BOB, body=body, extra=SDP)
        refusal = await refused(alice, request, 488)
        assert [warning.code for warning in refusal.headers.values("Warning")] == [399]
        assert len(bob.core.dialogs) == 0
        await hung_up(alice, await called(alice), 2)

    on_stage(scenario)


@pytest.mark.parametrize(
    ("method", "extra", "body", "field", "value"),
    [
        ("INVITE", "Content-Type: text/html", "<p>", "Accept", "application/sdp"),
        ("INVITE", "Content-Type: text/html\nContent-Disposition: session;handling=required", "<p>", "Accept", "application/sdp"),
        ("INVITE", "Content-Type: application/sdp\nContent-Encoding: gzip", OFFER, "Accept-Encoding", "identity"),
        ("MESSAGE", "Content-Type: text/html", "<p>", "Accept", "text/plain"),
        ("MESSAGE", "Content-Type: text/plain\nContent-Encoding: x, y", "<p>", "Accept-Encoding", "identity"),
    ],
)
def test_a_body_that_is_not_understood_gets_415_with_what_is(method: str, extra: str, body: str, field: str, value: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        request = alice.ask(method, BOB, extra=extra, body=body)
        assert (await refused(alice, request, 415)).headers.text(field) == value

    on_stage(scenario)


@pytest.mark.parametrize(
    "extra",
    [
        "Content-Type: text/html\nContent-Disposition: render;handling=optional",
        "Content-Type: application/sdp\nContent-Encoding: gzip\nContent-Disposition: session;handling=optional",
    ],
)
def test_a_body_that_is_optional_is_passed_over_where_it_is_not_understood(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        request = alice.ask("INVITE", BOB, extra=extra, body="<p>")
        dialog = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        # What was passed over is no offer, so Bob has made one.
        assert dialog.ok.body.startswith(b"v=0")
        alice.within("ACK", dialog, cseq=1, extra=SDP, body=OFFER)
        await hung_up(alice, dialog, 2)

    on_stage(scenario)


def test_an_encoding_that_is_none_is_understood() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        request = alice.ask("INVITE", BOB, extra=f"{SDP}Content-Encoding: identity, IDENTITY", body=OFFER)
        await hung_up(alice, await acknowledged(alice, request), 2)

    on_stage(scenario)


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "MESSAGE"])
def test_an_extension_nobody_knows_gets_420_that_names_it(method: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        request = alice.ask(method, BOB, extra="Require: 100rel, teleport\nRequire: levitate, teleport")
        refusal = await refused(alice, request, 420)
        assert refusal.headers.values("Unsupported") == ["teleport", "levitate"]
        # §8.2.2.3: an ACK and a CANCEL are never refused for it, and Proxy-Require is a proxy's affair.
        request = alice.ask(method, BOB, extra="Proxy-Require: teleport\nUnheard-Of: yes")
        await alice.hears(f"200 {method}")
        if method == "INVITE":
            dialog = Dialog(alice, alice, request, alice.heard[-1].message)  # type: ignore[arg-type]  # the 200
            alice.within("ACK", dialog, cseq=1, extra=f"{SDP}Require: teleport", body=OFFER)
            await asyncio.sleep(1)
            await hung_up(alice, dialog, 2)

    on_stage(scenario)


@pytest.mark.parametrize("method", ["REGISTER", "PUBLISH", "TELEPORT", "invite"])
def test_a_method_that_is_not_served_gets_405_with_those_that_are(method: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        refusal = await refused(alice, alice.ask(method, BOB), 405)
        allowed = refusal.headers.values("Allow")
        assert {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "MESSAGE"} <= set(allowed)
        assert method not in allowed

    on_stage(scenario)


@pytest.mark.parametrize("uri", ["mailto:bob@example.com", "http://example.com/bob", "nobodyKnowsThisScheme:totallyopaquecontent"])
def test_a_request_uri_of_another_scheme_gets_416(uri: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        for method in ("INVITE", "OPTIONS"):
            await refused(alice, alice.ask(method, uri, to=f"<{BOB}>"), 416)

    on_stage(scenario)


def test_to_may_be_anybody_and_of_any_scheme() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        for to in ("<tel:+1-972-555-2222>", "<isbn:2983792873>", "<sip:carol@example.com>"):
            alice.ask("OPTIONS", BOB, to=to)
            await alice.hears("200 OPTIONS")

    on_stage(scenario)


def test_a_request_that_comes_a_second_way_while_it_is_in_hand_gets_482() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_call=ring)
        request = alice.ask("INVITE", BOB, body=OFFER, extra=SDP, call_id="forked", branch="z9hG4bKone")
        await alice.hears("180 INVITE")
        other = alice.ask("INVITE", BOB, body=OFFER, extra=SDP, call_id="forked", branch="z9hG4bKtwo")
        await refused(alice, other, 482)
        alice.send(cancel_of(request))
        assert sorted([(await alice.hears("200 CANCEL")).status, (await refused(alice, request, 487)).status]) == [200, 487]
        # Another number is another request.
        alice.ask("OPTIONS", BOB, call_id="forked", cseq=9)
        await alice.hears("200 OPTIONS")

    on_stage(scenario)


_NOWHERE = f"<{BOB}>;tag=unknown"


@pytest.mark.parametrize(
    ("method", "to"),
    [(method, to) for method in ("BYE", "INFO", "UPDATE", "PRACK", "NOTIFY") for to in (f"<{BOB}>", _NOWHERE)]
    + [("INVITE", _NOWHERE), ("MESSAGE", _NOWHERE), ("OPTIONS", _NOWHERE)],
)
def test_what_belongs_to_a_dialog_that_is_not_there_gets_481(method: str, to: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        extra = "Event: presence\nSubscription-State: active\nRAck: 1 1 INVITE" if method in ("NOTIFY", "PRACK") else ""
        await refused(alice, alice.ask(method, BOB, to=to, extra=extra, contact=f"<{alice.uri}>"), 481)
        alice.ask("ACK", BOB, to=to)
        await alice.hears_nothing(1)

    on_stage(scenario)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("From", "<sip:alice@example.com"),
        ("From", "sip:alice@example.com;tag="),
        ("From", '"unclosed <sip:alice@example.com>;tag=1'),
        ("To", "<>"),
        ("To", "bob"),
        ("CSeq", "one INVITE"),
        ("CSeq", "4294967296 INVITE"),
        ("CSeq", "1 BYE"),
        ("CSeq", "-1 INVITE"),
        ("Call-ID", ""),
        ("Contact", "<sip:"),
        ("Contact", "*"),
        ("Contact", "<sip:alice@192.0.2.2>, <sip:alice@192.0.2.2"),
        ("Require", ";;"),
        ("Content-Type", "application sdp"),
        ("Replaces", "nobody"),
        ("Record-Route", "<sip:192.0.2.9;lr"),
    ],
)
def test_a_malformed_field_that_is_needed_gets_400_or_nothing_and_leaves_nothing(field: str, value: str) -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage)
        request = alice.request("INVITE", BOB, extra=f"{SDP.strip()}\nContent-Disposition: session", body=OFFER)
        lines = [f"{field}: {value}" if line.startswith(f"{field}:") else line for line in str(request).split("\r\n")]
        if f"{field}: {value}" not in lines:
            lines.insert(1, f"{field}: {value}")
        alice.send("\r\n".join(lines).encode())
        await asyncio.sleep(1)
        heard = [one.message for one in alice.heard if isinstance(one.message, Response) and one.message.status != 100]
        # An answer repeats the faults of what it repeats, and cannot be read by all.
        statuses = {one.status for one in heard} | {int(octets[8:11]) for octets in alice.malformed}
        assert statuses <= {400}
        assert len(bob.core.dialogs) == 0
        assert not stage.faults
        alice._inbox.clear()
        alice.ask("OPTIONS", BOB)
        await alice.hears("200 OPTIONS")
        for response in heard:
            alice.ack(request, response)

    on_stage(scenario)


@pytest.mark.parametrize(
    "extra", ["Max-Forwards: many", "Content-Disposition: ///", "Expires: soon", "Reply-To: nobody", "Timestamp: now", "Date: yesterday"]
)
def test_a_malformed_field_that_is_not_needed_is_not_noticed(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        request = alice.ask("INVITE", BOB, max_forwards=None, body=OFFER, extra=f"{SDP}{extra}")
        await hung_up(alice, await acknowledged(alice, request), 2)

    on_stage(scenario)


def test_a_client_of_old_whose_to_cannot_be_read_is_refused_and_its_ack_found() -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage)
        bob_host = bob.core.transports.endpoints[0].host
        request = alice.request("INVITE", BOB, branch="of-old")
        text = str(request).replace(f"To: <{BOB}>", "To: <")
        alice.send(text)
        await asyncio.sleep(0.1)
        [refusal] = [passed.octets for passed in stage.network.log if passed.source[0] == bob_host]
        assert refusal.startswith(b"SIP/2.0 400 ")
        to = next(line for line in refusal.decode().split("\r\n") if line.startswith("To:"))
        alice.send(text.replace("To: <", to).replace("INVITE", "ACK"))
        await asyncio.sleep(10)
        # Nothing is repeated once the ACK is there.
        assert len([passed for passed in stage.network.log if passed.source[0] == bob_host]) == 1
        assert not bob.core.layer.servers

    on_stage(scenario)


# Within dialogs.


def test_a_number_lower_than_the_one_before_gets_500_and_the_call_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        dialog = await called(alice)
        alice.within("OPTIONS", dialog, cseq=7)
        await alice.hears("200 OPTIONS")
        for method in ("OPTIONS", "INFO", "BYE"):
            alice.within(method, dialog, cseq=5)
            await alice.hears(f"500 {method}")
        await hung_up(alice, dialog, 8)

    on_stage(scenario)


def test_a_reinvite_gets_500_with_a_wish_while_the_first_one_has_no_final_response() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_call=ring)
        invite = alice.ask("INVITE", BOB, body=OFFER, extra=SDP)
        early = Dialog(alice, alice, invite, await alice.hears("180 INVITE"))
        again = alice.within("INVITE", early, cseq=2, extra=f"{SDP}Contact: <{alice.uri}>", body=OFFER)
        refusal = await refused(alice, again, 500)
        assert 0 <= refusal.headers.value("Retry-After").seconds <= 10
        alice.within("BYE", early, cseq=3)
        await alice.hears("200 BYE")
        await refused(alice, invite, 487)

    on_stage(scenario)


def test_a_reinvite_gets_491_while_one_of_ours_has_no_final_response() -> None:
    async def holds(call: IncomingCall) -> None:
        await call.answer()
        await call.hold()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_call=holds)
        dialog = await called(alice)
        ours = await alice.hears("INVITE")
        theirs = alice.within("INVITE", dialog, cseq=2, extra=f"{SDP}Contact: <{alice.uri}>", body=OFFER)
        await refused(alice, theirs, 491)
        alice.reply(ours, 488)
        await alice.hears("ACK")
        # The program was told that it is not held, and did not listen on: its call ends with it.
        stage.faults.clear()
        alice.reply(await alice.hears("BYE"), 200)
        stage.faults.clear()

    on_stage(scenario)


def test_a_peer_that_never_answers_a_bye_is_not_waited_for_for_ever() -> None:
    async def hangs_up(call: IncomingCall) -> None:
        await call.answer()

    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, on_call=hangs_up)
        await called(alice)
        await asyncio.sleep(1)
        assert len(bob.core.dialogs) == 0
        await asyncio.sleep(40)
        assert set(alice.kinds()) == {"BYE"}
        assert not bob.core.layer.clients

    on_stage(scenario)


def test_a_notify_nobody_asked_for_gets_481_within_a_call_too() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        dialog = await called(alice)
        alice.within("NOTIFY", dialog, cseq=2, extra=f"Event: presence\nSubscription-State: active\nContact: <{alice.uri}>")
        await alice.hears("481 NOTIFY")
        alice.within("REFER", dialog, cseq=3, extra="Refer-To: <sip:carol@example.com>")
        await alice.hears("603 REFER")
        await hung_up(alice, dialog, 4)

    on_stage(scenario)


# Whatever comes.


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_comes_makes_an_agent_fail(seed: int) -> None:
    """The torture messages and 1500 of their mutants: no exception, and it still answers OPTIONS; in the end nothing is left."""
    chance = random.Random(seed)

    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, info_packages=["tides"], on_info=lambda info: None)
        bob.serve("PUBLISH", lambda request: 200)
        bob.serve("REGISTER", lambda request: 200)
        bob.serve_event(EventPackage("presence", "application/pidf+xml", state=b"<x/>"))
        dialog = await called(alice)
        seeds = [case.octets for case in ALL] + [_request_of(alice, dialog, method) for method in _WITHIN]
        # Not every message of the torture names Bob; those that name nobody known here are his all the same.
        for octets in [*seeds[: len(ALL)], *mutants(chance, 1500, seeds)]:
            alice.send(octets)
        await asyncio.sleep(1)
        assert stage.faults == []
        assert bob.core.stack.faults == 0
        alice.ask("OPTIONS", BOB, call_id="still-there")
        for _ in range(1000):
            heard = [one.message for one in alice.heard if one.message.call_id == "still-there"]
            if heard:
                break
            await asyncio.sleep(0.01)
        assert isinstance(heard[0], Response)
        assert heard[0].status == 200
        # Whoever rings for a mutant rings for ever: nobody answers the BYEs of what they have begun.
        await asyncio.sleep(40)

    on_stage(scenario)


_WITHIN = ("INVITE", "BYE", "INFO", "UPDATE", "OPTIONS", "MESSAGE", "NOTIFY", "SUBSCRIBE", "REFER", "PRACK", "ACK")


def _request_of(alice: Party, dialog: Dialog, method: str) -> bytes:
    """A request within Alice's call."""
    extra = {
        "INFO": "Info-Package: tides\nContent-Type: text/plain",
        "NOTIFY": "Event: presence\nSubscription-State: active;expires=60",
        "SUBSCRIBE": f"Event: presence\nExpires: 60\nContact: <{alice.uri}>",
        "REFER": "Refer-To: <sip:carol@192.0.2.77>\nReferred-By: <sip:alice@example.com>",
        "PRACK": "RAck: 1 1 INVITE",
        "MESSAGE": "Content-Type: multipart/mixed;boundary=x",
    }.get(method, f"{SDP.strip()}\nRecv-Info: a, b\nContact: <{alice.uri}>")
    return alice.compose(method, dialog, cseq=random.Random(method).randrange(2, 99), extra=extra, body=OFFER).to_bytes()


GOOD = f"To: <sip:alice@192.0.2.2>;tag=good\nContact: <sip:alice@192.0.2.2:5060>\n{SDP}"


def _2xx(request: Request, fields: str, body: str = OFFER) -> str:
    """A 2xx to an INVITE, whose To and Contact are in `fields`."""
    kept = "\n".join(f"{name}: {request.headers.text(name)}" for name in ("Via", "From", "Call-ID", "CSeq"))
    return f"SIP/2.0 200 OK\n{kept}\n{fields.rstrip()}\nContent-Length: {len(body)}\n\n{body}"


@pytest.mark.parametrize(
    "unusable", [f"To: <sip:alice@192.0.2;tag=bad\nContact: <sip:alice@192.0.2.2>\n{SDP}", f"To: <sip:alice@192.0.2.2>;tag=bad\n{SDP}"]
)
def test_a_2xx_that_cannot_be_used_fails_the_call_and_who_answers_after_it_is_hung_up_on(unusable: str) -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage)
        call = bob.call(alice.uri)
        await call.place()
        invite = await alice.hears("INVITE")
        alice.reply(invite, 180, tag="early")
        alice.send(_2xx(invite, unusable))
        with pytest.raises(CallRejected, match="unusable 2xx"):
            await call.answered()
        alice.send(_2xx(invite, GOOD))
        await alice.hears("ACK")
        alice.reply(await alice.hears("BYE"), 200)
        await asyncio.sleep(33)
        assert len(bob.core.dialogs) == 0

    on_stage(scenario)


def test_a_call_that_was_answered_stands_whatever_others_answer() -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage)
        call = bob.call(alice.uri)
        await call.place()
        invite = await alice.hears("INVITE")
        alice.send(_2xx(invite, GOOD))
        await alice.hears("ACK")
        alice.send(_2xx(invite, f"To: <sip:alice@192.0.2.2>;tag=bad\n{SDP}"))
        await asyncio.sleep(1)
        assert call.is_answered
        hanging_up = asyncio.ensure_future(call.hang_up())
        alice.reply(await alice.hears("BYE"), 200)
        await hanging_up

    on_stage(scenario)


def test_a_redirection_to_a_name_nobody_knows_leads_to_the_next() -> None:
    async def scenario(stage: Stage) -> None:
        resolve({})
        bob, alice = await cast(stage)
        call = bob.call(alice.uri)
        await call.place()
        invite = await alice.hears("INVITE")
        alice.reply(invite, 302, extra=f"Contact: <sip:carol@nowhere.example.com>, <{alice.uri};next>")
        await alice.hears("ACK")
        invite = await alice.hears("INVITE")
        assert invite.uri_text == f"{alice.uri};next"
        alice.reply(invite, 486)
        await alice.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()

    on_stage(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_is_answered_makes_an_agent_fail(seed: int) -> None:
    """Mutants of every response to its INVITEs and other requests: no exception but those that say what became of a request."""
    chance = random.Random(seed)

    async def scenario(stage: Stage) -> None:
        # What a mutant names is looked up nowhere.
        resolve({})
        bob, alice = await cast(stage, password="secret")  # nobody's
        for number in range(60):
            asking = asyncio.ensure_future(_ask(bob, alice, number))
            request = await _next_request(alice)
            seeds = [_response(alice, request, status, reason, extra, body) for status, reason, extra, body in _RESPONSES]
            for octets in mutants(chance, 25, seeds):
                alice.send(octets)
            await asyncio.sleep(0.1)
            alice.send(_response(alice, request, 486, "Busy Here", "", ""))
            await asyncio.sleep(0.1)
            # Whatever else Bob has asked meanwhile, ACKs and BYEs and PRACKs, is not answered.
            await asyncio.sleep(80)
            assert asking.done()
            assert stage.faults == []
            assert bob.core.stack.faults == 0
            assert not bob.core.layer.clients
            assert len(bob.core.dialogs) == 0

    on_stage(scenario)


async def _ask(bob: UserAgent, alice: Party, number: int) -> None:
    """One request of Bob's, and all that follows from it."""
    try:
        if number % 3 == 0:
            await bob.message(alice.uri, "hello")
        elif number % 3 == 1:
            await bob.request("OPTIONS", alice.uri)
        else:
            async with bob.call(alice.uri, offers=number % 2 == 0, ring_for=20, anonymous=number % 4 == 0) as call:
                await call.message("hello")
                await call.send_digits("1")
                await call.hold()
    except (RequestFailed, CallEnded, RuntimeError):
        return


async def _next_request(alice: Party) -> Request:
    while True:
        for heard in alice._inbox:
            if (
                isinstance(heard.message, Request)
                and heard.message.method in ("INVITE", "OPTIONS", "MESSAGE")
                and heard.message.to_tag is None
            ):
                alice._inbox.clear()
                return heard.message
        alice._inbox.clear()
        await asyncio.sleep(0.01)


_DIGEST = 'Digest realm="192.0.2.1", nonce="abc", qop="auth", algorithm=SHA-256'
_RESPONSES = [
    (100, "Trying", "", ""),
    (180, "Ringing", "Recv-Info: tides\nAllow: INVITE, INFO", ""),
    (183, "Session Progress", f"Require: 100rel\nRSeq: 7\n{SDP.strip()}", OFFER),
    (
        200,
        "OK",
        f"{SDP.strip()}\nRecord-Route: <sip:192.0.2.2;lr>\nP-Asserted-Identity: <sip:x@y>\nSession-Expires: 90;refresher=uac",
        OFFER,
    ),
    (200, "OK", 'Authentication-Info: nextnonce="x", rspauth="00", cnonce="x", nc=00000001', ""),
    (302, "Moved", "Contact: <sip:carol@192.0.2.77>;q=0.5, <sip:dave@192.0.2.78?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", ""),
    (401, "Unauthorized", f"WWW-Authenticate: {_DIGEST}", ""),
    (407, "Proxy Authentication Required", f"Proxy-Authenticate: {_DIGEST}", ""),
    (422, "Session Interval Too Small", "Min-SE: 3600", ""),
    (491, "Request Pending", "", ""),
    (503, "Service Unavailable", "Retry-After: 10 (busy);duration=5", ""),
]


def _response(alice: Party, request: Request, status: int, reason: str, extra: str, body: str) -> bytes:
    """A response as octets, with whatever fields and body."""
    response = response_to(request, status, reason, tag="alice-tag")
    for line in [f"Contact: <{alice.uri}>", *extra.split("\n")] if extra else []:
        name, _, value = line.partition(": ")
        response.headers.append(name, value)
    response.body = body.encode()
    response.headers.set("Content-Length", len(response.body))
    return response.to_bytes()
