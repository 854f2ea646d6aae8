"""Instant messages, sent and received, outside of calls and within them (RFC 3428)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ringback import (
    CallEnded,
    IncomingCall,
    IncomingMessage,
    Refused,
    Reply,
    Request,
    RequestRejected,
    RequestTimedOut,
    Response,
    SipParseError,
    UserAgent,
)
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party

BOB = "sip:bob@192.0.2.1"
PLAIN = "Content-Type: text/plain"


class Heard(list[IncomingMessage]):
    """The messages that came."""

    def __call__(self, message: IncomingMessage) -> None:
        """Takes one."""
        self.append(message)


async def cast(stage: Stage, on_message: Callable[[IncomingMessage], Any] | None, **options: Any) -> tuple[UserAgent, Party]:
    """Bob, an agent who reads, and Alice, who is a test."""
    bob = await stage.agent("bob", on_message=on_message, **options)
    return bob, await stage.party("alice", "bob")


async def says(alice: Party, status: int, body: str = "Watson, come here.", extra: str = PLAIN) -> Response:
    """What Bob answers to a message of Alice's."""
    alice.ask("MESSAGE", BOB, extra=extra, body=body)
    response: Response = await alice.hears(f"{status} MESSAGE")
    return response


def test_a_message_is_heard_and_nobody_puts_a_contact_or_a_body_where_none_belongs() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", display_name="Alice")
        await stage.agent("bob", on_message=heard)
        response = await alice.message(stage.uri("bob"), "Watson, come here.")
        assert response.status == 200
        assert response.body == b""
        await alice.message(stage.uri("bob"), "Grüß dich")

    stage = on_stage(scenario)
    assert [message.text for message in heard] == ["Watson, come here.", "Grüß dich"]
    assert heard[0].sender.uri_text == "sip:alice@192.0.2.1"
    assert heard[0].sender.display_name == "Alice"
    assert (heard[0].source, heard[0].call) == ("192.0.2.1", None)
    assert [str(message.content_type) for message in heard] == ["text/plain", "text/plain;charset=utf-8"]
    assert stage.said() == ["MESSAGE", "200 MESSAGE"] * 2
    for message in stage.messages():
        assert "Contact" not in message.headers


def test_octets_of_another_type_go_to_who_wants_them() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_message=heard, message_types=["image/*"])
        await alice.message(stage.uri("bob"), b"\x89PNG", "image/png", headers=[("Subject", "look")])
        with pytest.raises(ValueError, match="octets need"):
            await alice.message(stage.uri("bob"), b"\x89PNG")
        with pytest.raises(SipParseError):
            await alice.message(stage.uri("bob"), b"\x89PNG", "no type")
        with pytest.raises(ValueError, match="From is written by the agent"):
            await alice.message(stage.uri("bob"), "", headers=[("From", "<sip:carol@example.com>")])

    on_stage(scenario)
    assert [(message.body, message.text, message.request.headers.text("Subject")) for message in heard] == [(b"\x89PNG", "", "look")]


def test_a_type_nobody_wants_gets_415_with_those_that_are_wanted() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard, message_types=["image/png", "text/html"])
        refusal = await says(alice, 415, "<x/>", "Content-Type: application/im-iscomposing+xml")
        assert refusal.headers.texts("Accept") == ["text/plain", "image/png", "text/html"]
        refusal = await says(alice, 415, "abc", f"{PLAIN}\nContent-Encoding: gzip")
        assert refusal.headers.texts("Accept-Encoding") == ["identity"]
        await says(alice, 400, "abc", "")
        await says(alice, 400, "abc", "Content-Type: text plain")
        await says(alice, 400, "abc", "Content-Type: multipart/mixed")

    on_stage(scenario)
    assert heard == []


MIXED = "Content-Type: multipart/{};boundary=x"
PARTS = "--x\r\nContent-Type: {}\r\n{}\r\none\r\n--x\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("subtype", "first", "disposition", "read"),
    [
        ("mixed", "text/plain", "", "one"),
        ("alternative", "text/plain", "", "two"),
        ("alternative", "text/html", "", "two"),
        ("mixed", "text/html", "Content-Disposition: render;handling=optional\r\n", "two"),
        ("mixed", "text/html", "Content-Disposition: render\r\n", None),
        ("mixed", "text/html", "", None),
    ],
)
def test_of_several_parts_the_one_that_is_understood_is_read(subtype: str, first: str, disposition: str, read: str | None) -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard)
        await says(alice, 415 if read is None else 200, PARTS.format(first, disposition), MIXED.format(subtype))

    on_stage(scenario)
    assert [message.text for message in heard] == ([] if read is None else [read])


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("", "Ã¼"),
        (";charset=ISO-8859-1", "Ã\x83Â¼"),
        (';charset="utf-8"', "Ã¼"),
        (";charset=idna", "Ã¼"),
        (";charset=windows-1252", "ÃƒÂ¼"),
    ],
)
def test_text_is_read_in_its_charset_and_as_utf_8_where_that_is_not_known(charset: str, text: str) -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard)
        octets = "Ã¼".encode()
        request = alice.request("MESSAGE", BOB, extra=f"Content-Type: text/plain{charset}")
        request.body = octets
        request.headers.set("Content-Length", len(octets))
        alice.send(request)
        await alice.hears("200 MESSAGE")

    on_stage(scenario)
    assert heard[0].text == text


def test_an_empty_message_is_one_too() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard)
        await says(alice, 200, "", "")

    on_stage(scenario)
    assert (heard[0].text, heard[0].content_type) == ("", None)


def test_expires_counts_from_date_and_from_now_without_one() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        _, party = await cast(stage, heard)
        await alice.message(stage.uri("bob"), "lunch?", expires=600)
        await alice.message(stage.uri("bob"), "hello")
        bob = stage.uri("bob")
        for extra in (
            "Expires: 60\nDate: Sat, 13 Nov 2010 23:29:00 GMT",
            "Expires: 60\nDate: yesterday",
            "Expires: 4294967295\nDate: Fri, 31 Dec 9999 23:59:59 GMT",
        ):
            party.ask("MESSAGE", bob, extra=extra)
            await party.hears("200 MESSAGE")

    stage = on_stage(scenario)
    now = datetime.now(UTC)
    lunch, hello, old, unclear, endless = [message.expires_at for message in heard]
    assert lunch is not None
    assert 590 < (lunch - now).total_seconds() <= 600
    assert hello is None
    assert old == datetime(2010, 11, 13, 23, 30, tzinfo=UTC)
    assert unclear is not None
    assert abs((unclear - now).total_seconds() - 60) < 10
    assert endless is None
    first = stage.messages(Request)[0]
    assert first.headers.value("Date") is not None


async def later(_message: IncomingMessage) -> int:
    await asyncio.sleep(0.25)
    return 202


async def forbidden(_message: IncomingMessage) -> None:
    raise Refused(403, "Not You", [("Retry-After", 5)])


def whole(_message: IncomingMessage) -> Reply:
    return Reply(headers=(("Server", "x"),))


@pytest.mark.parametrize(
    ("on_message", "status", "reason", "field"),
    [
        (later, 202, "Accepted", ("Server", None)),
        (forbidden, 403, "Not You", ("Retry-After", "5")),
        (whole, 200, "OK", ("Server", "x")),
    ],
)
def test_the_program_says_what_becomes_of_a_message(on_message: Any, status: int, reason: str, field: tuple[str, str | None]) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_message)
        response = await says(alice, status)
        assert response.reason == reason
        assert response.headers.text(field[0]) == field[1]

    on_stage(scenario)


def broken(_message: IncomingMessage) -> None:
    raise ZeroDivisionError("a mistake of the program's")


async def broken_later(message: IncomingMessage) -> None:
    await asyncio.sleep(1)
    broken(message)


def refuses_badly(_message: IncomingMessage) -> None:
    raise Refused(403, headers=[("Warning", "a\r\nb")])


@pytest.mark.parametrize(
    ("on_message", "fault"),
    [
        (broken, ZeroDivisionError),
        (broken_later, ZeroDivisionError),
        (refuses_badly, ValueError),
        (lambda _: 100, ValueError),
        (lambda _: "thanks", ValueError),
        (lambda _: Reply(headers=(("Server", "a\nb"),)), ValueError),
        (lambda _: Reply(body=b"x"), ValueError),
    ],
)
def test_a_mistake_of_the_programs_is_a_500_and_reported(on_message: Any, fault: type[Exception]) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_message)
        await says(alice, 500)
        await asyncio.sleep(0)
        assert [type(one["exception"]) for one in stage.faults] == [fault]
        stage.faults.clear()

    on_stage(scenario)


def test_who_does_not_read_messages_says_so() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, None)
        refusal = await says(alice, 405)
        assert "MESSAGE" not in refusal.headers.values("Allow")

    on_stage(scenario)


def test_a_refused_message_raises_what_the_peer_said() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_message=forbidden)
        with pytest.raises(RequestRejected) as rejected:
            await alice.message(stage.uri("bob"), "hello")
        assert (rejected.value.status, rejected.value.reason, rejected.value.retry_after) == (403, "Not You", 5)
        with pytest.raises(RequestTimedOut):
            await alice.message("sip:nobody@192.0.2.77", "hello")

    on_stage(scenario)


def test_messages_to_the_same_uri_go_one_after_the_other_and_to_others_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_message=later)
        await stage.agent("carol", on_message=later)
        sent = [alice.message(stage.uri(name), "hello") for name in ("bob", "bob", "carol")]
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*sent)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.5, abs=0.1)
        assert not alice.core.message_turns

    stage = on_stage(scenario)
    assert stage.said()[:3] == ["MESSAGE", "MESSAGE", "202 MESSAGE"]


def test_what_is_too_long_for_udp_goes_over_tcp() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_message=heard)
        for size in (5000, 1100, 500):
            await alice.message(stage.uri("bob"), "x" * size)

    stage = on_stage(scenario)
    assert [(len(message.text), message.request.via.transport) for message in heard] == [(5000, "TCP"), (1100, "TCP"), (500, "UDP")]
    assert all(len(passed.octets) <= 1300 for passed in stage.network.log if passed.transport == "UDP")


def test_messages_within_a_call_belong_to_it_both_ways() -> None:
    heard = Heard()

    async def reception(call: IncomingCall) -> None:
        await call.ring()
        await call.message("one moment")
        await call.answer()
        await asyncio.gather(call.message("what can I do"), call.message("for you?"))
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_message=heard)
        await stage.agent("bob", on_call=reception, on_message=heard)
        async with alice.call(stage.uri("bob")) as call:
            await asyncio.sleep(1)
            assert [message.call for message in heard] == [call] * 3
            assert (await call.message("nothing")).status == 200
            with pytest.raises(ValueError, match="octets need"):
                await call.message(b"x")

    stage = on_stage(scenario)
    assert [message.text for message in heard] == ["one moment", "what can I do", "for you?", "nothing"]
    sent = [message for message in stage.messages(Request) if message.method == "MESSAGE"]
    assert all(message.to_tag is not None and "Contact" not in message.headers for message in sent)
    assert [line for line in stage.said() if "MESSAGE" in line] == ["MESSAGE", "200 MESSAGE"] * 4


def test_a_message_within_a_call_that_is_over_raises_call_ended() -> None:
    async def hangs_up(call: IncomingCall) -> None:
        await call.answer()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=hangs_up)
        call = await alice.call(stage.uri("bob"))
        await call.ended()
        with pytest.raises(CallEnded):
            await call.message("hello?")
        other = alice.call(stage.uri("bob"))
        with pytest.raises(RuntimeError, match="not answered"):
            await other.message("hello?")

    on_stage(scenario)
