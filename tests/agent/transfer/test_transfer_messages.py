"""The messages of RFC 5589 and of the transfers of RFC 5359: what our side makes of them, and makes like them."""

from __future__ import annotations

import pytest

from ringback import IncomingCall, Request, SipParseError
from ringback.agent.call.media import SilentMedia
from ringback.agent.transfer.sipfrag import parse_sipfrag
from ringback.agent.uri_request import request_of
from tests.agent.stage import Stage, on_stage
from tests.flows.corpus import flow, sections

EXTENSIONS = ("replaces", "tdialog")
REFERS = [
    pytest.param(step.message, id=f"{rfc} {section} {step.label}")
    for rfc, chosen in (("rfc5589", sections("rfc5589")), ("rfc5359", ["2.4", "2.5"]))
    for section in chosen
    for step in flow(rfc, section).steps
    if isinstance(step.message, Request) and step.message.method == "REFER"
]
NOTIFIES = [
    pytest.param(step.message, id=f"{rfc} {section} {step.label}")
    for rfc, chosen in (("rfc5589", sections("rfc5589")), ("rfc5359", ["2.4", "2.5"]))
    for section in chosen
    for step in flow(rfc, section).steps
    if isinstance(step.message, Request) and step.message.method == "NOTIFY"
]


@pytest.mark.parametrize("refer", REFERS)
def test_the_rfcs_refers_ask_for_a_call_that_replaces_what_they_name(refer: Request) -> None:
    text = refer.value("Refer-To").uri_text
    if "from-tag3D" in text:
        # §7.3 F5 has lost a "%": no Replaces without a from-tag.
        with pytest.raises(SipParseError):
            request_of(text, EXTENSIONS)
        return
    asked_for = request_of(text, EXTENSIONS)
    assert asked_for.method == "INVITE"
    assert asked_for.uri == text.partition("?")[0]
    names = [name for name, _ in asked_for.fields]
    assert names == [part.partition("=")[0] for part in text.partition("?")[2].split("&") if part]
    assert ("Replaces" in names) is ("?Replaces" in text)


@pytest.mark.parametrize("notify", NOTIFIES)
def test_the_rfcs_notifications_say_how_far_it_is(notify: Request) -> None:
    line = parse_sipfrag(notify.body)
    state = notify.value("Subscription-State")
    assert notify.value("Event").value == "refer"
    assert line.is_final is (state.value == "terminated")
    assert state.reason == ("noresource" if line.is_final else None)


@pytest.mark.parametrize("section", ["6.1", "6.2"])
def test_our_refer_is_the_rfcs(section: str) -> None:
    """F1 comes from the RFC's transferee, which has said what it knows: our REFER goes to the same place in the same way as F3."""
    shown = flow("rfc5589", section)
    invite_, _, refer_, trying_, _, done_ = [step.message for step in shown.steps]
    assert isinstance(refer_, Request)

    async def transferor(call: IncomingCall) -> None:
        await call.answer()
        await call.transfer("sip:transfertarget@chicago.example.com")

    async def scenario(stage: Stage) -> None:
        await stage.agent("transferor", on_call=transferor)
        party = await stage.party("transferee", "transferor")
        contact = str(invite_.headers.text("Contact")).replace("sips:", "sip:").replace("biloxi.example.com", party.host)
        contact = contact.replace("192.0.2.4", party.host)
        from_ = str(invite_.headers.text("From"))
        sdp = SilentMedia(party.host).capabilities().to_bytes().decode()
        extra = "\n".join(f"{name}: {invite_.headers.text(name)}" for name in ("Allow", "Supported")) + "\nContent-Type: application/sdp"
        invite = party.ask("INVITE", stage.uri("transferor"), from_=from_, call_id=invite_.call_id, contact=contact, extra=extra, body=sdp)
        ok = await party.hears("200 INVITE")
        party.ask("ACK", ok.contact.uri_text, from_=from_, to=str(ok.headers.text("To")), call_id=invite.call_id)
        refer = await party.hears("REFER")
        # As in the RFC, name for name: a dialog of its own, or the one of F1.
        assert refer.uri_text == contact.strip("<>")
        assert (refer.call_id == invite.call_id) is (refer_.call_id == invite_.call_id)
        assert refer.to_tag == refer_.to_tag
        assert refer.headers.texts("Require") == refer_.headers.texts("Require")
        assert refer.value("Refer-To").uri_text == refer_.value("Refer-To").uri_text.replace("sips:", "sip:")
        assert ("Target-Dialog" in refer.headers) is ("Target-Dialog" in refer_.headers)
        if "Target-Dialog" in refer.headers:
            assert refer.value("Target-Dialog").call_id == invite_.call_id
            assert refer.value("Target-Dialog").local_tag == invite_.from_tag
            assert refer.value("Target-Dialog").remote_tag == ok.to_tag
        accepted = party.reply(refer, 202, tag=refer_.to_tag or "a6c85cf")
        for number, said in enumerate((trying_, done_), 2):
            fields = "\n".join(f"{name}: {said.headers.text(name)}" for name in ("Event", "Subscription-State", "Content-Type"))
            party.ask(
                "NOTIFY",
                refer.contact.uri_text,
                from_=str(accepted.headers.text("To")),
                to=str(refer.headers.text("From")),
                call_id=refer.call_id,
                cseq=number,
                contact=contact,
                extra=fields,
                body=said.body.decode(),
            )
            await party.hears("200 NOTIFY")
        party.reply(await party.hears("BYE"), 200)

    on_stage(scenario)
