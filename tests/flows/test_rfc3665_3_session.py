"""RFC 3665 §3 (session establishment) through our proxies, in simulated time. Without its authentication, which has an issue of its own."""

from ringback.message.derive import cancel_of
from tests.flows.house import ALICE, BILOXI, BOB, PROXY_1, PROXY_2, Cast, flow, same
from tests.server.party import Dialog

CALLEE = f"sip:bob@{BILOXI}"
OFFER = "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0\r\n"


async def ringing(cast: Cast) -> tuple[object, object]:
    sent = cast.alice.ask("INVITE", CALLEE, extra=f"Route: <sip:{PROXY_1};lr>", body=OFFER)
    invite = await cast.bob.hears("INVITE")
    await cast.alice.hears("100 INVITE")
    cast.bob.reply(invite, 180)
    await cast.alice.hears("180 INVITE")
    return sent, invite


def test_3_2_session_establishment_through_two_proxies() -> None:
    async def scenario(cast: Cast) -> None:
        alice, bob = cast.alice, cast.bob
        _, invite = await ringing(cast)
        # F8: both proxies stand in Record-Route, the last on top; two hops less; the body as it was.
        assert [route.uri.host for route in invite.record_routes] == [PROXY_2, PROXY_1]
        assert all(route.uri.lr for route in invite.record_routes)
        assert [via.host for via in invite.vias] == [PROXY_2, PROXY_1, ALICE]
        assert (invite.max_forwards, invite.uri_text, invite.body.decode()) == (68, bob.uri, OFFER)
        assert invite.routes == []
        bob.reply(invite, 200)
        ok = await alice.hears("200 INVITE")
        # F14: no Via but Alice's own; Record-Route as Bob saw it; Bob's Contact.
        assert [via.host for via in ok.vias] == [ALICE]
        assert ok.headers.texts("Record-Route") == invite.headers.texts("Record-Route")
        assert ok.contact.uri.host == BOB
        dialog = Dialog(alice, bob, invite, ok)
        ack = alice.within("ACK", dialog, cseq=1)
        assert [route.uri.host for route in ack.routes] == [PROXY_1, PROXY_2]
        assert (await bob.hears("ACK")).routes == []
        bye = bob.within("BYE", dialog)
        assert [route.uri.host for route in bye.routes] == [PROXY_2, PROXY_1]
        got = await alice.hears("BYE")
        assert (got.uri_text, got.routes) == (alice.uri, [])
        alice.reply(got, 200)
        await bob.hears("200 BYE")

    assert same(
        flow(scenario),
        """
             Alice         Proxy 1        Proxy 2          Bob
               │── INVITE ───▶│              │              │
               │◀──── 100 ────│              │              │
               │              │── INVITE ───▶│              │
               │              │◀──── 100 ────│              │
               │              │              │── INVITE ───▶│
               │              │              │◀──── 180 ────│
               │              │◀──── 180 ────│              │
               │◀──── 180 ────│              │              │
               │              │              │◀──── 200 ────│
               │              │◀──── 200 ────│              │
               │◀──── 200 ────│              │              │
               │──── ACK ────▶│              │              │
               │              │──── ACK ────▶│              │
               │              │              │──── ACK ────▶│
               │              │              │◀──── BYE ────│
               │              │◀──── BYE ────│              │
               │◀──── BYE ────│              │              │
               │──── 200 ────▶│              │              │
               │              │──── 200 ────▶│              │
               │              │              │──── 200 ────▶│
        """,
    )


def test_3_8_unsuccessful_no_answer() -> None:
    async def scenario(cast: Cast) -> None:
        alice, bob = cast.alice, cast.bob
        sent, invite = await ringing(cast)
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        alice.ack(sent, await alice.hears("487 INVITE"))

    assert same(
        flow(scenario),
        """
             Alice         Proxy 1        Proxy 2          Bob
               │── INVITE ───▶│              │              │
               │◀──── 100 ────│              │              │
               │              │── INVITE ───▶│              │
               │              │◀──── 100 ────│              │
               │              │              │── INVITE ───▶│
               │              │              │◀──── 180 ────│
               │              │◀──── 180 ────│              │
               │◀──── 180 ────│              │              │
               │── CANCEL ───▶│              │              │
               │◀──── 200 ────│              │              │
               │              │── CANCEL ───▶│              │
               │              │◀──── 200 ────│              │
               │              │              │── CANCEL ───▶│
               │              │              │◀──── 200 ────│
               │              │              │◀──── 487 ────│
               │              │              │──── ACK ────▶│
               │              │◀──── 487 ────│              │
               │              │──── ACK ────▶│              │
               │◀──── 487 ────│              │              │
               │──── ACK ────▶│              │              │
        """,
    )


def test_3_9_unsuccessful_busy() -> None:
    async def scenario(cast: Cast) -> None:
        alice, bob = cast.alice, cast.bob
        sent = alice.ask("INVITE", CALLEE, body=OFFER)
        bob.reply(await bob.hears("INVITE"), 486)
        await alice.hears("100 INVITE")
        alice.ack(sent, await alice.hears("486 INVITE"))
        await bob.hears("ACK")

    assert same(
        flow(scenario),
        """
             Alice         Proxy 1        Proxy 2          Bob
               │── INVITE ───▶│              │              │
               │◀──── 100 ────│              │              │
               │              │── INVITE ───▶│              │
               │              │◀──── 100 ────│              │
               │              │              │── INVITE ───▶│
               │              │              │◀──── 486 ────│
               │              │              │──── ACK ────▶│
               │              │◀──── 486 ────│              │
               │              │──── ACK ────▶│              │
               │◀──── 486 ────│              │              │
               │──── ACK ────▶│              │              │
        """,
    )


def test_3_10_unsuccessful_no_response_from_user_agent() -> None:
    async def scenario(cast: Cast) -> None:
        alice = cast.alice
        sent = alice.ask("INVITE", CALLEE, body=OFFER)
        await alice.hears("100 INVITE")
        # The RFC's Proxy 2 says 480; by RFC 3261 §16.7 item 6 a proxy that heard nothing says 408.
        alice.ack(sent, await alice.hears("408 INVITE"))

    assert same(
        flow(scenario),
        """
             Alice         Proxy 1        Proxy 2          Bob
               │── INVITE ───▶│              │              │
               │◀──── 100 ────│              │              │
               │              │── INVITE ───▶│              │
               │              │◀──── 100 ────│              │
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │              │── INVITE ───▶│
               │              │◀──── 408 ────│              │
               │              │──── ACK ────▶│              │
               │◀──── 408 ────│              │              │
               │──── ACK ────▶│              │              │
        """,
    )


def test_3_11_unsuccessful_temporarily_unavailable() -> None:
    async def scenario(cast: Cast) -> None:
        alice, bob = cast.alice, cast.bob
        sent, invite = await ringing(cast)
        bob.reply(invite, 480, extra="Retry-After: 3600")
        response = await alice.hears("480 INVITE")
        assert response.headers.text("Retry-After") == "3600"
        alice.ack(sent, response)
        await bob.hears("ACK")

    assert same(
        flow(scenario),
        """
             Alice         Proxy 1        Proxy 2          Bob
               │── INVITE ───▶│              │              │
               │◀──── 100 ────│              │              │
               │              │── INVITE ───▶│              │
               │              │◀──── 100 ────│              │
               │              │              │── INVITE ───▶│
               │              │              │◀──── 180 ────│
               │              │◀──── 180 ────│              │
               │◀──── 180 ────│              │              │
               │              │              │◀──── 480 ────│
               │              │              │──── ACK ────▶│
               │              │◀──── 480 ────│              │
               │              │──── ACK ────▶│              │
               │◀──── 480 ────│              │              │
               │──── ACK ────▶│              │              │
        """,
    )
