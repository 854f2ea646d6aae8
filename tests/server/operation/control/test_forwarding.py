"""Call forwarding over the control socket: changed while the server runs, and in force at once."""

from pathlib import Path

import pytest

from ringback.server.operation.control.json_rpc import INVALID_PARAMS, REFUSED
from ringback.server.users import UserTable
from tests.server.operation.control.test_methods import RefusedError, ask
from tests.server.party import DOMAIN, House, simulated

ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"


@simulated
async def test_calls_go_elsewhere_from_this_moment_on(tmp_path: Path) -> None:
    async with House(data=tmp_path) as house:
        assert house.server.store is not None
        UserTable(house.server.store).add("bob", DOMAIN, "p")
        alice, bob = await house.party("alice"), await house.party("bob")
        carol = await house.party("carol")
        assert await ask(house, "forwarding") == {}
        assert await ask(house, "forwarding", aor=f"bob@{DOMAIN}") == {BOB: {}}
        assert await ask(house, "forward", aor=BOB, condition="always", target=carol.uri) == {BOB: {"always": carol.uri}}
        said = await ask(house, "forward", aor=BOB, condition="no_answer", target=ALICE, ring_for=20)
        assert said == {BOB: {"always": carol.uri, "no_answer": ALICE, "ring_for": 20}} == await ask(house, "forwarding")
        await house.call(alice, carol)
        assert bob.heard == []
        assert await ask(house, "unforward", aor=BOB, condition="always") == {BOB: {"no_answer": ALICE, "ring_for": 20}}
        assert await ask(house, "unforward", aor=BOB) == {BOB: {}}
        assert await ask(house, "forwarding") == {}
        invite = alice.ask("INVITE")
        alice.ack(invite, await alice.hears("404 INVITE"))


@simulated
async def test_what_cannot_be_arranged(tmp_path: Path) -> None:
    async with House(data=tmp_path) as house:
        assert house.server.store is not None
        UserTable(house.server.store).add("bob", DOMAIN, "p")
        for params, code, reason in (
            ({"aor": ALICE, "condition": "busy", "target": BOB}, INVALID_PARAMS, f"there is no user alice@{DOMAIN}"),
            ({"aor": BOB, "condition": "busy", "target": "http://x"}, INVALID_PARAMS, "calls cannot be forwarded to"),
            ({"aor": BOB, "condition": "no_answer", "target": ALICE}, INVALID_PARAMS, "from 1 to 3600 seconds"),
            ({"aor": BOB, "condition": "no_answer", "target": ALICE, "ring_for": 0}, INVALID_PARAMS, "ring_for"),
            ({"aor": BOB, "condition": "sometimes", "target": ALICE}, INVALID_PARAMS, "condition"),
            ({"aor": "sip:x@elsewhere.example", "condition": "busy", "target": ALICE}, INVALID_PARAMS, "not an address of a user"),
        ):
            with pytest.raises(RefusedError, match=reason) as caught:
                await ask(house, "forward", **params)
            assert caught.value.args[1] == code
        assert await ask(house, "forwarding") == {}


@simulated
async def test_a_server_without_a_store_arranges_nothing() -> None:
    async with House() as house:
        with pytest.raises(RefusedError, match="keeps nothing") as caught:
            await ask(house, "forward", aor=BOB, condition="busy", target=ALICE)
        assert caught.value.args[1] == REFUSED
