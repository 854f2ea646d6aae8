"""Requests that URIs ask for (RFC 3261 §19.1.5): which wishes are granted, which are left out, which make the URI invalid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback import CallRejected, IncomingCall, Request, SipParseError, Unreachable
from ringback.agent.uri_request import HONOURED, UriRequest, invitation_of, is_invitation, request_of
from tests.agent.stage import Stage, on_stage

EXTENSIONS = ("replaces", "100rel")
DIALOG = "1%40a%3Bto-tag%3D2%3Bfrom-tag%3D3"


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@example.com",
        "sips:bob@example.com:5061;transport=tcp;maddr=192.0.2.1;ttl=1;user=phone;lr;x=y",
        "tel:+358-555-1234567;postd=pp22",
        "sip:method@example.com",
        "http://example.com/?method=INVITE",
    ],
)
def test_a_uri_that_asks_for_nothing_is_the_request_uri_of_an_invite_as_it_stands(uri: str) -> None:
    assert request_of(uri, EXTENSIONS) == UriRequest(uri, "INVITE", ())


def test_the_method_is_the_requests_and_leaves_the_request_uri_where_every_other_parameter_stays() -> None:
    asked_for = request_of("sip:bob@example.com;x=y;method=SUBSCRIBE;transport=tcp?Event=presence", EXTENSIONS)
    assert asked_for == UriRequest("sip:bob@example.com;x=y;transport=tcp", "SUBSCRIBE", (("Event", "presence"),))


def test_header_components_are_unescaped_and_named_as_their_rfcs_do() -> None:
    asked_for = request_of(
        f"sip:bob@example.com?REPLACES={DIALOG}&s=lunch%20today&user-to-user=56%3Bencoding%3Dhex&Require=replaces", EXTENSIONS
    )
    assert asked_for.uri == "sip:bob@example.com"
    assert asked_for.fields == (
        ("Replaces", "1@a;to-tag=2;from-tag=3"),
        ("Subject", "lunch today"),
        ("user-to-user", "56;encoding=hex"),
        ("Require", "replaces"),
    )


@pytest.mark.parametrize(
    "field",
    [
        *["From", "Call-ID", "CSeq", "Via", "Record-Route", "Route", "f", "i", "v"],
        *["Accept", "Accept-Encoding", "Accept-Language", "Allow", "Contact", "Organization", "Supported", "User-Agent"],
        *["Content-Type", "Content-Length", "Date", "MIME-Version", "Timestamp", "body"],
        *["Authorization", "Proxy-Authorization", "P-Asserted-Identity", "Identity", "History-Info", "Refer-To", "To", "X-Anything"],
    ],
)
def test_what_is_dangerous_or_false_or_unknown_is_left_out(field: str) -> None:
    assert request_of(f"sip:bob@example.com?{field}=x&Subject=y", EXTENSIONS).fields == (("Subject", "y"),)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@example.com;method=NO%20METHOD",
        "sip:bob@example.com;method",
        "sip:bob@example.com;method=BYE",
        "sip:bob@example.com;method=CANCEL",
        "sip:bob@example.com?Require=no-such-thing",
        "sip:bob@example.com?Require=replaces,join",
        "sip:bob@example.com?Replaces=no-tags",
        f"sip:bob@example.com?Replaces={DIALOG}&replaces={DIALOG}",
        "sip:bob@example.com?Subject=a&s=b",
        "sip:bob@example.com?Subject=a%0D%0AFrom:%20mallory",
        "sip:bob@example.com?Subject=a%00",
        "sip:bob@example.com?Subject",
        "sip:bob@exam ple.com?Subject=a",
    ],
)
def test_what_makes_no_valid_request_makes_the_uri_invalid(uri: str) -> None:
    with pytest.raises(SipParseError):
        request_of(uri, EXTENSIONS)
    assert not is_invitation(uri, EXTENSIONS)


def test_a_call_is_an_invite_and_nothing_else() -> None:
    assert invitation_of("sip:bob@example.com;method=INVITE", EXTENSIONS).uri == "sip:bob@example.com"
    assert is_invitation("sip:bob@example.com", EXTENSIONS)
    with pytest.raises(SipParseError):
        invitation_of("sip:bob@example.com;method=OPTIONS", EXTENSIONS)


def test_nothing_is_honoured_that_says_who_we_are_or_where_messages_go() -> None:
    assert not HONOURED & {
        "from",
        "to",
        "via",
        "route",
        "record-route",
        "contact",
        "call-id",
        "cseq",
        "authorization",
        "max-forwards",
        "path",
    }


def test_a_list_grows_and_other_fields_are_replaced_where_they_may_be() -> None:
    asked_for = request_of("sip:b@example.com?Call-Info=%3Chttp://b.example%3E&Subject=new", EXTENSIONS)
    for overrides, subject in ((True, "new"), (False, "old")):
        request = Request("INVITE", asked_for.uri, [("Call-Info", "<http://a.example>"), ("Subject", "old")])
        asked_for.put(request, overrides=overrides)
        assert request.headers.texts("Call-Info") == ["<http://a.example>", "<http://b.example>"]
        assert request.headers.texts("Subject") == [subject]


async def answers(call: IncomingCall) -> None:
    await call.answer()
    await call.ended()


def test_a_call_is_placed_as_its_uri_asks() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=answers)
        async with alice.call(f"{stage.uri('bob')};method=INVITE?Subject=lunch&From=mallory"):
            pass

    stage = on_stage(scenario)
    invite = stage.messages(Request)[0]
    assert invite.uri_text == "sip:bob@192.0.2.2"
    assert invite.headers.texts("Subject") == ["lunch"]
    assert invite.headers.texts("From")[0].startswith("<sip:alice@")


@pytest.mark.parametrize("asked", [";method=OPTIONS", "?Require=no-such-thing"])
def test_a_uri_of_which_no_call_can_be_made_is_not_called(asked: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(Unreachable):
            await alice.call(f"sip:bob@192.0.2.9{asked}")

    assert on_stage(scenario).said() == []


def test_a_redirection_is_followed_as_its_contact_asks_and_past_one_of_which_no_call_can_be_made() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("carol", on_call=answers)
        carol = stage.uri("carol")

        async def moved(call: IncomingCall) -> None:
            await call.redirect(
                f"{carol};method=OPTIONS", f"{carol}?Require=no-such-thing", f"{carol}?Subject=moved&Call-Info=%3Chttp://b.example%3E"
            )

        await stage.agent("bob", on_call=moved)
        async with alice.call(stage.uri("bob"), headers=[("Subject", "lunch"), ("Call-Info", "<http://a.example>")]):
            pass

    stage = on_stage(scenario)
    invites = [request for request in stage.messages(Request) if request.method == "INVITE"]
    assert [invite.uri_text for invite in invites] == ["sip:bob@192.0.2.3", "sip:carol@192.0.2.2"]
    assert invites[1].headers.texts("Subject") == ["moved"]
    assert invites[1].headers.texts("Call-Info") == ["<http://a.example>", "<http://b.example>"]
    assert invites[0].call_id == invites[1].call_id


def test_a_redirection_to_nothing_that_can_be_called_is_the_answer() -> None:
    async def nowhere(call: IncomingCall) -> None:
        await call.redirect("sip:carol@192.0.2.9;method=REGISTER")

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=nowhere)
        with pytest.raises(CallRejected) as rejected:
            await alice.call(stage.uri("bob"))
        assert rejected.value.status == 302

    on_stage(scenario)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_written_in_a_uri_makes_a_request_or_none(name: str, value: str) -> None:
    for uri in (f"sip:bob@example.com?{name}={value}", f"sip:bob@example.com;method={name}", name):
        try:
            asked_for = request_of(uri, EXTENSIONS)
        except SipParseError:
            continue
        request = Request(asked_for.method, asked_for.uri)
        asked_for.put(request)
        assert len(request.to_bytes().split(b"\r\n")) == 3 + len(asked_for.fields)


@given(st.sampled_from(sorted(HONOURED)), st.binary(max_size=60))
def test_whatever_is_escaped_in_a_header_component_stays_in_its_field(name: str, value: bytes) -> None:
    escaped = "".join(f"%{octet:02X}" for octet in value)
    try:
        asked_for = request_of(f"sip:bob@example.com?{name}={escaped}", EXTENSIONS)
    except SipParseError:
        return
    request = Request("INVITE", asked_for.uri)
    asked_for.put(request)
    assert len(request.to_bytes().split(b"\r\n")) == 4
