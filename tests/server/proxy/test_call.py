"""A call through the proxy, seen from outside."""

from tests.server.party import SERVER, House, simulated


@simulated
async def test_a_call_passes_and_either_side_hangs_up() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        for one, other in ((alice, bob), (bob, alice)):
            dialog = await house.call(alice, bob)
            one.within("BYE", dialog)
            bye = await other.hears("BYE")
            other.reply(bye, 200)
            assert (await one.hears("200 BYE")).vias[0].host == one.host
        assert SERVER in str(bye.vias[0])
