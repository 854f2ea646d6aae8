"""Whatever arrives, no handler raises, and nothing of it is left in the end: messages of a call, damaged at random."""

import asyncio
import random

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Request
from ringback.testing import run
from tests.server.party import DOMAIN, SERVER, House, Message

PIECES = [
    b"\r\n", b"\r\n ", b",", b";", b"<", b">", b'"', b"\\", b"@", b":", b"%", b"%00", b"\x00", b"\xff", b"\xc3\xa9",
    b"=", b"?", b" ", b"\t", b"lr", b";lr", b";maddr=192.0.2.66", b";proof=", b";tag=", b";branch=", b";rport",
    b";received=", b"sip:", b"sips:", b"tel:+1", b"0", b"-1", b"99999999999", b"[::1]",
    b"Route: <sip:192.0.2.100;lr>\r\n", b"Max-Breadth: 0\r\n", b"Max-Breadth: 1\r\n", b"Via: ", b"v:",
    b"Require: x\r\n", b"To: ", b"\r\nRoute: ", b"INVITE", b"ACK", b"CANCEL", b"BYE",
]  # fmt: skip


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """One to three cuts, repeats, exchanges or insertions, most of them where something is parsed."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(octets) + 1)
        to = min(len(octets), at + chance.choice((0, 1, 1, 2, 5, 20)))
        match chance.randrange(4):
            case 0:
                octets = octets[:at] + octets[to:]
            case 1:
                octets = octets[:to] + octets[at:]
            case 2:
                octets = octets[:at] + chance.choice(PIECES) + octets[to:]
            case _:
                lines = octets.split(b"\r\n")
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                octets = b"\r\n".join(lines)
    return octets


@pytest.mark.parametrize("mode", ["stateful", "stateless", "redirect"])
def test_no_damaged_message_raises_or_stays(seed: int, long_form: bool, mode: str) -> None:
    chance = random.Random(seed)
    rounds = 20_000 if long_form else 1_500

    async def scenario() -> None:
        async with House() as house:
            alice = await house.party("alice")
            bob = await house.party("bob", q=1.0)
            dialog = await house.call(alice, bob)
            house.server.domains.turn_to({DOMAIN: mode}, "stateful")
            house.server.core.layer.tells_strays = True

            def answer(message: Message) -> None:
                if isinstance(message, Request) and message.method != "ACK":
                    status = chance.choice((180, 200, 302, 404, 486, 603)) if message.method == "INVITE" else 200
                    octets = bob.reply(message, status, tag=f"t{chance.random()}").to_bytes()
                    bob.send(damaged(octets, chance))

            bob.on_message = answer
            for _ in range(rounds):
                match chance.randrange(6):
                    case 0:
                        message = alice.request()
                    case 1:
                        message = alice.request("MESSAGE", extra=f"Route: <sip:{SERVER};lr>", body="hello")
                    case 2:
                        message = alice.compose(chance.choice(("BYE", "ACK", "INFO", "INVITE")), dialog)
                    case 3:
                        message = alice.request("REGISTER", f"sip:{DOMAIN}", to="<sip:carol@example.com>", contact=f"<{alice.uri}>;q=0.5")
                    case 4:
                        message = alice.request("OPTIONS", f"sip:{SERVER}")
                    case _:
                        invite = alice.request()
                        alice.send(invite)
                        message = cancel_of(invite)
                alice.send(damaged(message.to_bytes(), chance))
                if chance.random() < 0.05:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            assert house.server.core.stack.faults == 0, house.faults
            assert house.server.counts.malformed > rounds / 20
            bob.on_message = None

    run(scenario())
