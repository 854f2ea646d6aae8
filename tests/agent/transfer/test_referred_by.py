"""Who has sent somebody, and its proof, carried on (RFC 3892)."""

from __future__ import annotations

import pytest

from ringback import Request
from ringback.agent.transfer.referral import Referral
from tests.agent.stage import Stage, on_stage
from tests.agent.transfer.test_referral import dave, follows, says
from tests.agent.transfer.test_transfer import Phone

TOKEN = """--b\r
Content-Type: message/sipfrag\r
Content-ID: <token@example.com>\r
\r
Date: Thu, 18 Sep 2003 13:07:43 GMT\r
--b--\r
"""


def test_the_referrers_proof_goes_along_unchanged() -> None:
    """RFC 3892 §2.2: the header field and the token, beside the session description."""
    carol = Phone()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=carol)
        party = await dave(stage)
        extra = (
            f"Refer-To: <{stage.uri('carol')}>\n"
            'Referred-By: <sip:dave@example.com>;cid="token@example.com"\n'
            "Content-Type: multipart/mixed;boundary=b"
        )
        refer = party.ask("REFER", stage.uri("bob"), extra=extra, body=TOKEN)
        await party.hears("202 REFER")
        await says(party, refer)
        await says(party, refer)
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    invite = next(request for request in stage.messages(Request) if request.method == "INVITE")
    assert invite.headers.texts("Referred-By") == ['<sip:dave@example.com>;cid="token@example.com"']
    assert invite.content_type.essence == "multipart/mixed"
    token = b"Content-Type: message/sipfrag\r\nContent-ID: <token@example.com>\r\n\r\nDate: Thu, 18 Sep 2003 13:07:43 GMT\r\n"
    assert token in invite.body
    assert invite.headers.texts("Content-Length") == [str(len(invite.body))]
    assert carol.calls[0].media.remote is not None  # type: ignore[attr-defined]  # SilentMedia, which remembers


def test_a_proof_goes_along_with_any_request() -> None:
    async def asks(referral: Referral) -> None:
        await referral.send()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=asks)
        await stage.agent("carol", on_call=Phone())
        party = await dave(stage)
        extra = (
            f"Refer-To: <{stage.uri('carol')};method=OPTIONS>\n"
            'Referred-By: <sip:dave@example.com>;cid="token@example.com"\n'
            "Content-Type: multipart/mixed;boundary=b"
        )
        refer = party.ask("REFER", stage.uri("bob"), extra=extra, body=TOKEN)
        await party.hears("202 REFER")
        await says(party, refer)
        await says(party, refer)

    stage = on_stage(scenario)
    options = next(request for request in stage.messages(Request) if request.method == "OPTIONS")
    assert b"Content-ID: <token@example.com>" in options.body


@pytest.mark.parametrize(
    ("content_type", "cid"),
    [
        ("multipart/mixed;boundary=c", "token@example.com"),
        ("multipart/mixed;boundary=b", "other@example.com"),
        ("text/plain", "token@example.com"),
    ],
    ids=["cannot be read", "another one", "no multipart"],
)
def test_a_proof_that_is_not_there_is_not_made_up(content_type: str, cid: str) -> None:
    carol = Phone()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=carol)
        party = await dave(stage)
        extra = f'Refer-To: <{stage.uri("carol")}>\nReferred-By: <sip:dave@example.com>;cid="{cid}"\nContent-Type: {content_type}'
        refer = party.ask("REFER", stage.uri("bob"), extra=extra, body=TOKEN)
        await party.hears("202 REFER")
        await says(party, refer)
        await says(party, refer)
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    invite = next(request for request in stage.messages(Request) if request.method == "INVITE")
    assert invite.content_type.essence == "application/sdp"
