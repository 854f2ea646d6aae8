"""RFC 3261 §16.7: what happens to each response, and which goes upstream when."""

import pytest

from ringback.message.message import Response
from tests.server.party import House, Party, simulated


async def forked(house: House, count: int = 2, **parts: object) -> tuple[Party, list[Party]]:
    """A caller and so many phones of one user, all at once called."""
    alice = await house.party("alice")
    phones = [await house.party(f"phone{index}", q=1.0, aor="bob") for index in range(count)]
    alice.ask(**parts)  # type: ignore[arg-type]
    await alice.hears("100 INVITE")
    return alice, phones


@simulated
async def test_provisional_responses_are_forwarded_at_once_but_for_100() -> None:
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        invite = await bob.hears("INVITE")
        bob.reply(invite, 100)
        await alice.hears_nothing()
        for status in (180, 183, 199, 180):
            bob.reply(invite, status, body=b"x", extra="X-Kept:  as is")
            got = await alice.hears(f"{status} INVITE")
            assert (got.body, "X-Kept:  as is\r\n" in str(got), len(got.vias)) == (b"x", True, 1)
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_response_passes_as_it_is_but_for_our_via() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.request(extra="Via: SIP/2.0/TCP far.example;branch=z9hG4bKfar;received=192.0.2.77")
        sent.headers.replace_first("Via", f"SIP/2.0/UDP nat.example:{alice.port};branch=z9hG4bKnat;rport")
        alice.send(sent)
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(
            invite, 404, tag="bobs", reason="Gone Fishing", extra="Warning: 399 h \xe9 odd\nRecord-Route: <sip:not ours>", body=b"\x00\xff"
        )
        got = await alice.hears("404 INVITE")
        assert (got.reason, got.to_tag, got.body) == ("Gone Fishing", "bobs", b"\x00\xff")
        assert [via.host for via in got.vias] == ["nat.example", "far.example"]
        # What we stamped stays: the way back is read from it.
        assert got.via.params["received"] == alice.host
        assert got.via.params["rport"] == "5060"
        assert got.vias[1].params["received"] == "192.0.2.77"
        assert "Warning: 399 h \xe9 odd\r\n" in str(got)
        assert "Record-Route: <sip:not ours>\r\n" in str(got)


@pytest.mark.parametrize(
    ("statuses", "upstream"),
    [
        ([486, 404], 486),
        ([404, 486], 404),
        ([302, 486], 302),
        ([500, 404], 404),
        ([480, 401], 401),
        ([484, 407], 407),
        ([503, 500], 500),
        ([503, 503], 500),
        ([503, 480], 480),
        ([503, 603], 603),
        ([408, 408], 408),
        ([487, 480], 487),
    ],
)
@simulated
async def test_the_best_of_two(statuses: list[int], upstream: int) -> None:
    async with House() as house:
        alice, phones = await forked(house)
        for phone, status in zip(phones, statuses, strict=True):
            await alice.hears_nothing()
            phone.reply(await phone.hears("INVITE"), status)
        got = await alice.hears(f"{upstream} INVITE")
        assert got.to_tag
        assert "Retry-After" not in got.headers
        for phone in phones:
            await phone.hears("ACK")


@simulated
async def test_challenges_come_together() -> None:
    async with House() as house:
        alice, [one, two] = await forked(house)
        one.reply(await one.hears("INVITE"), 407, extra='Proxy-Authenticate: Digest realm="one", nonce="1"')
        two.reply(await two.hears("INVITE"), 401, extra='WWW-Authenticate: Digest realm="two", nonce="2"')
        got = await alice.hears("401 INVITE")
        assert got.headers.text("WWW-Authenticate") == 'Digest realm="two", nonce="2"'
        assert got.headers.text("Proxy-Authenticate") == 'Digest realm="one", nonce="1"'


@simulated
async def test_a_2xx_is_forwarded_at_once_and_what_rings_is_cancelled() -> None:
    async with House() as house:
        alice, [one, two, three] = await forked(house, 3)
        invites = [await phone.hears("INVITE") for phone in (one, two, three)]
        two.reply(invites[1], 180)
        await alice.hears("180 INVITE")
        one.reply(invites[0], 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone0-tag"
        cancel = await two.hears("CANCEL")
        assert (cancel.via.branch, cancel.uri_text, cancel.cseq.number) == (invites[1].via.branch, invites[1].uri_text, 1)
        two.reply(cancel, 200)
        two.reply(invites[1], 487)
        await two.hears("ACK")
        # The third has not said a word: its CANCEL waits for one (§9.1).
        assert "CANCEL" not in three.kinds()
        three.reply(invites[2], 180)
        three.reply(await three.hears("CANCEL"), 200)
        three.reply(invites[2], 487)
        await three.hears("ACK")
        await alice.hears_nothing()


@simulated
async def test_every_2xx_is_forwarded_also_after_the_answer_and_again() -> None:
    async with House() as house:
        alice, [one, two] = await forked(house)
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        one.reply(first, 200)
        await alice.hears("200 INVITE")
        one.reply(first, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone0-tag"
        two.reply(second, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone1-tag"
        two.reply(second, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone1-tag"
        two.reply(second, 486)
        two.reply(second, 180)
        await alice.hears_nothing()


@simulated
async def test_after_a_2xx_nothing_else_is_forwarded() -> None:
    async with House() as house:
        alice, [one, two] = await forked(house)
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        one.reply(first, 200)
        await alice.hears("200 INVITE")
        two.reply(second, 180)
        await two.hears("CANCEL")
        two.reply(second, 603)
        await two.hears("ACK")
        await alice.hears_nothing()


@simulated
async def test_a_6xx_cancels_the_others_and_waits_for_them() -> None:
    async with House() as house:
        alice, [one, two] = await forked(house)
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        two.reply(second, 180)
        await alice.hears("180 INVITE")
        one.reply(first, 603)
        two.reply(await two.hears("CANCEL"), 200)
        await alice.hears_nothing()
        two.reply(second, 487)
        await alice.hears("603 INVITE")


@simulated
async def test_a_2xx_that_crosses_a_6xx_wins() -> None:
    async with House() as house:
        alice, [one, two] = await forked(house)
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        two.reply(second, 180)
        await alice.hears("180 INVITE")
        one.reply(first, 603)
        await two.hears("CANCEL")
        two.reply(second, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone1-tag"
        await alice.hears_nothing()


@simulated
async def test_a_6xx_begins_no_new_branch() -> None:
    async with House() as house:
        alice = await house.party("alice")
        one = await house.party("one", q=1.0, aor="bob")
        two = await house.party("two", q=0.5, aor="bob")
        alice.ask("MESSAGE")
        one.reply(await one.hears("MESSAGE"), 600)
        await alice.hears("600 MESSAGE")
        await two.hears_nothing()


@simulated
async def test_lower_q_is_tried_after_higher() -> None:
    async with House() as house:
        alice = await house.party("alice")
        low = await house.party("low", q=0.1, aor="bob")
        high = [await house.party(f"high{index}", q=0.9, aor="bob") for index in range(2)]
        alice.ask()
        await alice.hears("100 INVITE")
        invites = [await phone.hears("INVITE") for phone in high]
        high[0].reply(invites[0], 486)
        await low.hears_nothing()
        high[1].reply(invites[1], 302, extra="Contact: <sip:elsewhere@192.0.2.9>")
        last = await low.hears("INVITE")
        assert last.max_forwards == 69
        [one], [other] = last.headers.texts("Record-Route"), invites[0].headers.texts("Record-Route")
        assert one.partition(";proof=")[0] == other.partition(";proof=")[0]
        low.reply(last, 180)
        await alice.hears("180 INVITE")
        low.reply(last, 404)
        got = await alice.hears("302 INVITE")
        assert str(got.contact.uri) == "sip:elsewhere@192.0.2.9"


@simulated
async def test_a_2xx_ends_the_search() -> None:
    async with House() as house:
        alice = await house.party("alice")
        low = await house.party("low", q=0.1, aor="bob")
        high = await house.party("high", q=0.9, aor="bob")
        alice.ask("MESSAGE")
        high.reply(await high.hears("MESSAGE"), 202)
        await alice.hears("202 MESSAGE")
        await low.hears_nothing()


@simulated
async def test_provisional_responses_to_other_methods_stay_here() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE")
        message = await bob.hears("MESSAGE")
        bob.reply(message, 100)
        bob.reply(message, 183)
        await alice.hears_nothing()
        bob.reply(message, 200)
        await alice.hears("200 MESSAGE")
        bob.reply(message, 200)
        await alice.hears_nothing()


@simulated
async def test_the_first_2xx_to_another_method_is_the_only_one() -> None:
    async with House() as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}", q=1.0, aor="bob") for index in range(2)]
        alice.ask("OPTIONS")
        for phone in phones:
            phone.reply(await phone.hears("OPTIONS"), 200)
        assert (await alice.hears("200 OPTIONS")).to_tag == "phone0-tag"
        await alice.hears_nothing()


@simulated
async def test_another_method_that_nobody_answers_gets_no_408() -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask("MESSAGE")
        await alice.hears_nothing(3.0)
        # 100 when timer E of the client has reached T2, and nothing else (RFC 4320 §4).
        await alice.hears("100 MESSAGE")
        await alice.hears_nothing(60.0)


@simulated
async def test_an_invite_that_nobody_answers_is_408() -> None:
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        got = await alice.hears("408 INVITE")
        assert got.to_tag
        assert alice.heard[-1].time == pytest.approx(32, abs=0.1)
        alice.ack(alice.request(branch="z9hG4bKalice1"), got)
        assert bob.kinds() == ["INVITE"] * 7


@pytest.mark.parametrize("status", [200, 404, 603])
@simulated
async def test_a_response_without_another_via_is_not_forwarded_and_the_caller_is_answered(status: int) -> None:
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        invite = await bob.hears("INVITE")
        response = Response(status, headers=[("Via", str(invite.via))])
        response.headers.carry(invite.headers, "from", "to", "call-id", "cseq")
        bob.send(response)
        await alice.hears("502 INVITE")


@simulated
async def test_a_provisional_response_without_another_via_is_not_forwarded() -> None:
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        invite = await bob.hears("INVITE")
        response = Response(180, headers=[("Via", str(invite.via))])
        response.headers.carry(invite.headers, "from", "to", "call-id", "cseq")
        bob.send(response)
        await alice.hears_nothing()
        bob.reply(invite, 404)
        await alice.hears("404 INVITE")


@simulated
async def test_a_retransmitted_invite_hears_the_last_response_and_goes_nowhere() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        alice.send(sent)
        await alice.hears("100 INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.send(sent)
        await alice.hears("180 INVITE")
        bob.reply(invite, 486)
        response = await alice.hears("486 INVITE")
        await bob.hears("ACK")
        alice.send(sent)
        await alice.hears("486 INVITE")
        alice.ack(sent, response)
        # The ACK of a refusal ends here: each hop has its own (§17.1.1.3).
        await bob.hears_nothing()
        await alice.hears_nothing(1.0)


@simulated
async def test_stray_responses_go_nowhere() -> None:
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        invite = await bob.hears("INVITE")
        stray = bob.reply(invite, 486)
        await alice.hears("486 INVITE")
        for change in ("z9hG4bKother", "z9hG4bKother-00000000"):
            via = invite.via
            via.params["branch"] = change
            stray.headers.replace_first("Via", via)
            for status in (180, 200, 486):
                stray.status = status
                bob.send(stray)
        await alice.hears_nothing()
        assert house.server.core.layer.stray_responses == 6


@simulated
async def test_to_tags_are_the_callees_affair() -> None:
    """None is added to a 1xx or 2xx that has none, none is changed in whatever is forwarded (§16.7 item 6)."""
    async with House() as house:
        alice, [bob] = await forked(house, 1)
        invite = await bob.hears("INVITE")
        for status in (183, 200):
            bare = bob.reply(invite, 100)
            bare.status = status
            bob.send(bare)
            assert (await alice.hears(f"{status} INVITE")).to_tag is None
        bob.reply(invite, 200, tag="another")
        assert (await alice.hears("200 INVITE")).to_tag == "another"


@simulated
async def test_a_response_within_a_dialog_keeps_the_tag_of_its_request() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        info = alice.within("INFO", dialog)
        bob.reply(await bob.hears("INFO"), 415)
        assert (await alice.hears("415 INFO")).headers.text("To") == info.headers.text("To")
