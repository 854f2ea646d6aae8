"""One request of ours and what becomes of it (RFC 3261 §8.1, RFC 3263 §4.3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import CallRejected, IncomingCall, RequestRejected, UserAgent
from ringback.agent.exchange import Exchange
from ringback.agent.target_set import TargetSet, request_uri
from ringback.message.message import Response
from ringback.message.uri import SipUri
from ringback.testing import Network
from tests.agent.desk import Answer, Desk, Script, desk, in_turn, resolve
from tests.agent.stage import Stage, on_stage

ANSWER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
BOB = "sip:bob@192.0.2.2"
NAMED = "sip:bob@example.com"


async def cast(stage: Stage, *scripts: Script, **options: Any) -> tuple[UserAgent, list[Desk]]:
    """Alice and, at 192.0.2.2 and on, servers that all answer for example.com."""
    resolve({"example.com": [f"192.0.2.{number}" for number in range(2, 2 + len(scripts))]})
    alice = await stage.agent("alice", **options)
    return alice, [await desk(stage, f"server{number}", script) for number, script in enumerate(scripts, 1)]


async def ask(alice: UserAgent, uri: str = BOB, method: str = "MESSAGE") -> Exchange:
    """A request of Alice's and its final response."""
    return await alice.core.ask(alice.core.request(method, uri))


def status_of(exchange: Exchange) -> int:
    assert exchange.response is not None
    return exchange.response.status


# What a request says (§8.1.1).


def test_a_request_says_all_that_every_request_must() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(200)), display_name="Alice")
        await ask(alice)
        [request] = bob.requests
        assert (request.method, request.uri_text) == ("MESSAGE", BOB)
        assert str(request.to) == f"<{BOB}>"
        assert request.from_.uri_text == "sip:alice@192.0.2.1"
        assert request.from_tag
        assert request.headers.text("CSeq") == "1 MESSAGE"
        assert len(request.call_id) >= 16
        assert request.max_forwards == 70
        [via] = request.vias
        assert str(via).startswith("SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK")
        assert "contact" not in request.headers

    on_stage(scenario)


def test_call_id_tag_and_branch_are_new_for_each_request() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(200)))
        for _ in range(20):
            await ask(alice)
        for seen in (
            {request.call_id for request in bob.requests},
            {request.from_tag for request in bob.requests},
            {request.via.branch for request in bob.requests},
        ):
            assert len(seen) == 20

    on_stage(scenario)


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER", "OPTIONS"])
def test_what_may_begin_a_dialog_has_one_contact(method: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(404)))
        await ask(alice, method=method)
        assert [contact.uri_text for contact in bob.requests[0].contacts] == ["sip:alice@192.0.2.1:5060"]

    on_stage(scenario)


def test_with_an_outbound_proxy_the_request_uri_stays_and_the_proxy_is_the_route() -> None:
    """§8.1.1.1, §8.1.2: a pre-existing route set of one URI."""

    async def scenario(stage: Stage) -> None:
        alice, [proxy] = await cast(stage, in_turn(Answer(200)), proxy="sip:192.0.2.2")
        await ask(alice, "sip:carol@example.org")
        [request] = proxy.requests
        assert request.uri_text == "sip:carol@example.org"
        assert request.headers.texts("Route") == ["<sip:192.0.2.2;lr>"]

    on_stage(scenario)


def test_the_topmost_route_is_where_a_request_goes() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [_, second] = await cast(stage, in_turn(Answer(500)), in_turn(Answer(200)), proxy="sip:192.0.2.2")
        request = alice.core.request("MESSAGE", "sip:carol@example.org", route_set=("<sip:192.0.2.3;lr>", "<sip:192.0.2.2;lr>"))
        assert status_of(await alice.core.ask(request)) == 200
        assert second.requests[0].headers.texts("Route") == ["<sip:192.0.2.3;lr>", "<sip:192.0.2.2;lr>"]

    on_stage(scenario)


def test_a_sips_request_is_never_sent_in_the_clear() -> None:
    """Not even by way of a proxy whose URI says sip (§8.1.2): here no way is secured, and nothing leaves."""

    async def scenario(stage: Stage) -> None:
        alice, [proxy] = await cast(stage, in_turn(Answer(200)), proxy="sip:192.0.2.2")
        exchange = await ask(alice, "SIPS:carol@example.org")
        assert status_of(exchange) == 503
        assert "no way leads to sips:192.0.2.2" in exchange.fault
        assert proxy.requests == []

    on_stage(scenario)


def test_the_contact_of_a_call_is_good_for_requests_outside_it() -> None:
    """§8.1.1.8: here after the call is over."""
    contacts: list[str] = []

    async def reception(call: IncomingCall) -> None:
        contacts.append(str(call.request.contact.uri))
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_call=reception)
        bob = await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob")):
            pass
        assert (await bob.options(contacts[0])).status == 200

    on_stage(scenario)


def test_option_tags_are_those_of_standards_track_rfcs() -> None:
    """Those that are supported, and those that are required where the program wants it (§8.1.1.9)."""
    # RFC 3262, 4028, 3891, 3911, 4538, 4488, 3327, 3312, 4662, 7044, 5626, 5627, 3840.
    standards_track = "100rel timer replaces join tdialog norefersub path precondition eventlist histinfo outbound gruu pref".split()

    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(404)), accepts_joins=True)
        assert set(alice.core.extensions) <= set(standards_track)
        with pytest.raises(CallRejected):
            await alice.call(BOB, requires=["100rel"])
        assert bob.requests[0].require == ["100rel"]
        assert bob.requests[0].supported == alice.core.extensions
        assert "proxy-require" not in bob.requests[0].headers

    on_stage(scenario)


# What comes back (§8.1.3.1 to §8.1.3.3).


def test_silence_counts_as_408() -> None:
    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage, in_turn(None))
        before = alice.core.loop.time()
        exchange = await ask(alice)
        assert status_of(exchange) == 408
        assert exchange.fault == "no answer"
        assert alice.core.loop.time() - before == pytest.approx(32, abs=0.1)

    on_stage(scenario)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_transport_error_counts_as_503(transport: str) -> None:
    """An ICMP error, a connection that is refused."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", listen=["udp://192.0.2.1:5060", "tcp://192.0.2.1:5060"])
        exchange = await ask(alice, f"sip:bob@192.0.2.77;transport={transport}")
        assert status_of(exchange) == 503
        assert exchange.fault

    on_stage(scenario, Network(reports_unreachable=True))


@pytest.mark.parametrize("status", [299, 399, 499, 599, 699])
def test_a_final_status_that_nobody_knows_counts_as_its_class(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        extra = "Content-Type: application/sdp" if status == 299 else ""
        alice, [bob] = await cast(stage, in_turn(Answer(status, extra, ANSWER if status == 299 else b""), Answer(200)))
        call = alice.call(BOB)
        if status == 299:
            async with call:
                assert call.is_answered
        else:
            with pytest.raises(CallRejected) as raised:
                await call
            assert raised.value.status == status
        assert bob.requests[0].method == "INVITE"

    on_stage(scenario)


@pytest.mark.parametrize("status", [200, 300, 400, 500, 600])
def test_the_x00_of_every_class_is_understood(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage, in_turn(Answer(status)))
        response = await alice.options(BOB)
        assert (response.status, response.is_success) == (status, status == 200)

    on_stage(scenario)


@pytest.mark.parametrize("status", [100, 170, 183, 199])
def test_a_provisional_status_that_nobody_knows_counts_as_183(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(BOB)
        await call.place()
        invite = await bob.hears("INVITE")
        bob.reply(invite, status)
        await asyncio.sleep(100)
        assert call.ringing.done() is (status != 100), "100 says only that the request has arrived"
        assert not call.is_over, "a provisional response ends timer B"
        bob.reply(invite, 486)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call

    on_stage(scenario)


def test_a_response_with_further_vias_is_discarded() -> None:
    """§8.1.3.3: it was meant for somebody else; the next one counts."""

    async def scenario(stage: Stage) -> None:
        seen: list[str] = []
        alice = await stage.agent("alice", observer=lambda direction, *_: seen.append(direction))
        bob = await stage.party("bob", "alice")
        asking = asyncio.ensure_future(alice.options(BOB))
        request = await bob.hears("OPTIONS")
        for via in ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK9", '"'):
            stray = Response(200, headers=[("Via", request.headers.text("Via")), ("Via", via)])
            for name in ("From", "To", "Call-ID", "CSeq"):
                stray.headers.append(name, request.headers.text(name))
            bob.send(stray)
        await asyncio.sleep(0.1)
        assert not asking.done()
        assert seen == ["out", "in", "in"], "whoever looks on sees it all the same"
        bob.reply(request, 486)
        assert (await asking).status == 486

    on_stage(scenario)


# Several servers (RFC 3263 §4.3), servers that rest (§21.5.4).


@pytest.mark.parametrize("first", [Answer(503), None])
def test_the_next_server_is_tried_with_the_same_request_and_a_new_branch(first: Answer | None) -> None:
    async def scenario(stage: Stage) -> None:
        alice, [one, other] = await cast(stage, in_turn(first), in_turn(Answer(200)))
        exchange = await ask(alice, NAMED)
        assert status_of(exchange) == 200
        assert exchange.fault == ""
        before, after = one.requests[0], other.requests[0]
        assert before.via.branch != after.via.branch
        for name in ("CSeq", "Call-ID", "From", "To"):
            assert before.headers.text(name) == after.headers.text(name)
        assert len(after.vias) == 1

    on_stage(scenario)


def test_a_server_that_cannot_be_reached_gives_way_to_the_next() -> None:
    async def scenario(stage: Stage) -> None:
        resolve({"example.com": ["192.0.2.66", "192.0.2.2"]})
        alice = await stage.agent("alice")
        bob = await desk(stage, "bob", in_turn(Answer(200)))
        assert status_of(await ask(alice, NAMED)) == 200
        assert len(bob.asked) == 1

    on_stage(scenario, Network(reports_unreachable=True))


def test_when_all_servers_fail_the_last_one_says_how() -> None:
    async def scenario(stage: Stage) -> None:
        alice, servers = await cast(stage, in_turn(None), in_turn(Answer(503)))
        exchange = await ask(alice, NAMED)
        assert (status_of(exchange), exchange.fault) == (503, "")
        servers[1].script = in_turn(None)
        exchange = await ask(alice, NAMED)
        assert (status_of(exchange), exchange.fault) == (408, "no answer")

    on_stage(scenario)


def test_what_the_second_server_says_is_not_taken_for_what_the_first_did_not() -> None:
    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage, in_turn(None), in_turn(Answer(486)))
        with pytest.raises(CallRejected) as raised:
            await alice.call(NAMED)
        assert raised.value.status == 486
        assert raised.value.response is not None

    on_stage(scenario)


def test_another_refusal_is_final_however_many_servers_there_are() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [_, other] = await cast(stage, in_turn(Answer(500)), in_turn(Answer(200)))
        assert status_of(await ask(alice, NAMED)) == 500
        assert other.requests == []

    on_stage(scenario)


def test_a_call_given_up_goes_to_no_other_server() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        resolve({"example.com": ["192.0.2.2", "192.0.2.3"]})
        bob = await stage.party("bob", "alice")
        other = await desk(stage, "other", in_turn(Answer(200)))
        call = alice.call(NAMED)
        await call.place()
        invite = await bob.hears("INVITE")
        call.cancel()
        bob.reply(invite, 503)
        await bob.hears("ACK")
        await asyncio.sleep(40)
        assert other.requests == []

    on_stage(scenario)


def test_what_is_given_up_while_its_name_is_looked_up_is_never_sent() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(200)))
        responses: list[Response] = []
        exchange = alice.core.begin(alice.core.request("INVITE", NAMED), lambda response, _: responses.append(response))
        exchange.cancel()
        exchange.cancel()
        await asyncio.sleep(1)
        assert [response.status for response in responses] == [487]
        assert bob.requests == []

    on_stage(scenario)


def test_a_uri_that_is_none_leads_nowhere() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        for uri in ("sip:", "mailto:bob@example.com", "tel:+3585551234567"):
            exchange = await ask(alice, uri)
            assert status_of(exchange) == 503
            assert uri in exchange.fault

    on_stage(scenario)


def test_a_server_that_asks_for_rest_gets_it() -> None:
    """§21.5.4: nothing new while its Retry-After lasts, and then again."""

    async def scenario(stage: Stage) -> None:
        alice, [bob] = await cast(stage, in_turn(Answer(503, "Retry-After: 30"), Answer(200)))
        assert status_of(await ask(alice)) == 503
        exchange = await ask(alice)
        assert status_of(exchange) == 503
        assert exchange.fault == "192.0.2.2 asked to be left alone for another 30 s"
        assert len(bob.asked) == 1
        await asyncio.sleep(30)
        assert status_of(await ask(alice)) == 200

    on_stage(scenario)


def test_while_one_server_rests_the_other_is_asked_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [one, other] = await cast(stage, in_turn(Answer(503, "Retry-After: 30")), in_turn(Answer(200)))
        for _ in range(3):
            assert status_of(await ask(alice, NAMED)) == 200
        assert (len(one.asked), len(other.asked)) == (1, 3)

    on_stage(scenario)


def test_a_call_that_stands_is_hung_up_whether_its_server_rests_or_not() -> None:
    async def scenario(stage: Stage) -> None:
        script = in_turn(Answer(200, "Content-Type: application/sdp", ANSWER), Answer(503, "Retry-After: 30"), Answer(200))
        alice, [bob] = await cast(stage, script)
        async with alice.call(BOB):
            await ask(alice)
        assert [request.method for request in bob.requests] == ["INVITE", "MESSAGE", "BYE"]

    on_stage(scenario)


# Refusals that say how to ask better (§8.1.3.5).


def test_a_tel_uri_that_the_proxy_does_not_know_becomes_a_sip_uri() -> None:
    """§19.1.6: the number as user, at our own domain. To, From and Call-ID stay, the number is one higher."""

    async def scenario(stage: Stage) -> None:
        alice, [proxy] = await cast(stage, in_turn(Answer(416), Answer(200)), proxy="sip:192.0.2.2")
        assert status_of(await ask(alice, "tel:+358-555-1234567;ext=22")) == 200
        first, second = proxy.requests
        assert first.uri_text == "tel:+358-555-1234567;ext=22"
        assert second.uri_text == "sip:+358-555-1234567;ext=22@192.0.2.1;user=phone"
        for name in ("To", "From", "Call-ID", "Route"):
            assert first.headers.text(name) == second.headers.text(name)
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        assert first.via.branch != second.via.branch

    on_stage(scenario)


@pytest.mark.parametrize("status", [413, 415, 416, 420])
def test_what_cannot_be_said_otherwise_is_said_once(status: int) -> None:
    """The program hears why, with what the peer takes instead."""

    async def scenario(stage: Stage) -> None:
        extra = {413: "Retry-After: 7", 415: "Accept: text/plain", 416: "", 420: "Unsupported: 100rel"}[status]
        alice, [bob] = await cast(stage, in_turn(Answer(status, extra)))
        with pytest.raises(CallRejected) as raised:
            await alice.call(BOB, requires=["100rel"])
        assert raised.value.status == status
        assert raised.value.response is not None
        assert len(bob.requests) == 1

    on_stage(scenario)


# The target set of a redirection (§8.1.3.4).


def taken(targets: TargetSet, *contacts: str) -> list[str]:
    """What a 3xx with these Contacts adds, in the order in which it will be tried."""
    targets.take(Response(302, headers=[("Contact", contact) for contact in contacts]))
    found = []
    while (uri := targets.next()) is not None:
        found.append(str(uri))
    return found


def test_contacts_are_tried_by_preference_and_none_twice() -> None:
    targets = TargetSet("sip:a@example.com")
    contacts = [
        "<sip:c@example.com>;q=0.5",
        "<sip:A@example.com>;q=0.1, <sip:b@example.com>",
        "<sip:%61@example.com>",
        "<sip:c@EXAMPLE.com>",
    ]
    assert taken(targets, *contacts) == ["sip:b@example.com", "sip:c@example.com", "sip:A@example.com"]
    assert taken(targets, *contacts) == []


def test_contacts_that_cannot_be_tried_are_passed_over() -> None:
    targets = TargetSet("sip:a@example.com")
    assert taken(targets, "*", "tel:+358", "<sip:%zz>", "<sip:b@example.com>;q=2", "<sip:c@example.com>") == ["sip:c@example.com"]
    assert taken(targets, '"') == []
    assert taken(TargetSet("nonsense"), "<sip:c@example.com>") == ["sip:c@example.com"]


def test_from_sips_nothing_leads_into_the_clear() -> None:
    assert taken(TargetSet("sips:a@example.com"), "<sip:b@example.com>", "<sips:c@example.com>") == ["sips:c@example.com"]


def test_a_3xx_cannot_make_us_try_for_ever() -> None:
    assert len(taken(TargetSet("sip:a@example.com"), *[f"<sip:{number}@example.com>" for number in range(100)])) == 10


def test_a_request_uri_has_neither_method_nor_header_fields() -> None:
    uri = SipUri.parse("sip:b:pw@example.com:5070;transport=tcp;method=BYE;x=y?Subject=x")
    assert str(request_uri(uri)) == "sip:b:pw@example.com:5070;transport=tcp;x=y"
    assert uri.headers_text == "Subject=x", "the URI itself stays as it was"


# Within a dialog.


def test_within_a_dialog_the_number_goes_on_after_a_challenge() -> None:
    """§22.2 and §12.2.1.1 at once: the dialog knows the number that the second attempt took."""

    async def scenario(stage: Stage) -> None:
        answered = Answer(200, "Content-Type: application/sdp", ANSWER)
        busy = Answer(407, 'Proxy-Authenticate: Digest realm="192.0.2.2", nonce="n", qop="auth"')
        script = in_turn(busy, answered, busy._replace(extra=busy.extra.replace('"n"', '"m", stale=true')), Answer(200), Answer(200))
        alice, [bob] = await cast(stage, script, aor="sip:alice@192.0.2.2", password="secret")
        async with alice.call(BOB) as call:
            session = call.session
            assert session is not None
            exchange = await session.ask(session.request("INFO"))
            assert status_of(exchange) == 200
        assert [request.headers.text("CSeq") for request in bob.requests] == ["1 INVITE", "2 INVITE", "3 INFO", "4 INFO", "5 BYE"]
        assert len({request.call_id for request in bob.requests}) == 1

    on_stage(scenario)


def test_a_made_up_answer_is_no_answer_of_the_peers() -> None:
    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage, in_turn(Answer(404)))
        with pytest.raises(RequestRejected) as raised:
            await alice.bindings("sip:192.0.2.2")
        assert raised.value.response is not None

    on_stage(scenario)


def test_after_any_number_of_attempts_a_request_has_one_via() -> None:

    async def scenario(stage: Stage) -> None:
        alice, [one, other] = await cast(stage, in_turn(Answer(503)), in_turn(Answer(200)))
        request = alice.core.request("MESSAGE", NAMED)
        await alice.core.ask(request)
        assert len(request.vias) == 1
        assert request.headers.count("Content-Length") == 1
        assert len(one.asked) == len(other.asked) == 1

    on_stage(scenario)
