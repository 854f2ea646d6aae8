"""The ladder of a simulated network."""

import asyncio

from ringback.testing import Network, Stage, run


async def two_ask(network: Network) -> None:
    async with Stage(network) as stage:
        await stage.agent("bob", on_call=lambda call: call.decline(486))
        alice = await stage.agent("alice")
        await alice.options("sip:bob@bob.test")


def test_the_ladder_has_times_names_and_what_passed() -> None:
    network = Network(delay=0.25)
    run(two_ask(network))
    assert network.ladder("alice") == (
        "                  alice                 bob\n"
        "0.250               │───── OPTIONS ─────▶│\n"
        "0.500               │◀── 200 OK (SDP) ───│\n"
    )


def test_what_is_lost_is_marked_and_stands_where_it_was_sent() -> None:
    network = Network(loss=0.5, seed=1)
    run(two_ask(network))
    lines = network.ladder().splitlines()[1:]
    assert len(network.lost) == sum("✗ lost" in line for line in lines) > 0
    times = [float(line.split(" ", 1)[0]) for line in lines]
    assert times == sorted(times)


def test_hosts_without_a_name_and_octets_that_are_no_message_are_shown_as_they_are() -> None:
    async def scenario() -> str:
        network = Network()
        for address in ("10.0.0.1", "10.0.0.2"):
            network.host(address, lambda *_: None, lambda *_: None, batch_ended=lambda: None)
            await network.hosts[address].open("UDP", address, 5060)
        network.passed(("10.0.0.1", 5060), ("10.0.0.2", 5060), "UDP", b"\r\n\r\n")
        network.passed(("10.0.0.2", 5060), ("10.0.0.1", 5060), "UDP", b"neither fish nor fowl")
        await asyncio.sleep(0)
        return network.ladder()

    drawn = run(scenario())
    assert "10.0.0.1" in drawn.splitlines()[0]
    assert "─ keep-alive ─" in drawn
    assert "─ 21 octets ─" in drawn


def test_a_network_on_which_nobody_is_has_no_ladder() -> None:
    assert Network().ladder() == ""


def test_hosts_are_cut_off_and_healed_by_name() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            bob, alice = await stage.agent("bob"), await stage.agent("alice")
            assert bob.endpoints[0].host == "192.0.2.1"
            stage.network.cut("alice", "bob")
            asking = asyncio.create_task(alice.options("sip:bob@bob.test"))
            await asyncio.sleep(5)
            assert not asking.done()
            stage.network.heal("192.0.2.2", "bob")
            assert (await asking).status == 480

    run(scenario())
