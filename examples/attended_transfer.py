"""An attended transfer (RFC 5589 §7.3): Alice talks with Bob, asks Carol, and brings the two together; simulated network, no time.

python examples/attended_transfer.py
"""

import asyncio
from functools import partial
from typing import Any

from ringback import IncomingCall, UserAgent
from ringback.testing import Network, run

network = Network()


def phone(name: str, host: str, **options: Any) -> UserAgent:
    return UserAgent(f"sip:{name}@{host}", listen=[f"udp://{host}:5060"], open_transports=partial(network.host, host), **options)


async def picks_up(call: IncomingCall) -> None:
    if call.replaces:
        print(f"Carol: {call.remote.uri} takes the place of {call.replaces.remote.uri}")
    await call.answer()
    print(f"{call.request.to.uri}: the call ended,", await call.ended())


async def main() -> None:
    bob = phone("bob", "192.0.2.2", on_call=picks_up, accepts_transfers=True)
    carol = phone("carol", "192.0.2.3", on_call=picks_up)
    async with bob, carol, phone("alice", "192.0.2.1") as alice:
        call = await alice.call("sip:bob@192.0.2.2")
        await call.hold()  # "One moment, please."
        consultation = await alice.call("sip:carol@192.0.2.3")  # "Bob wants to talk to you."
        result = await call.transfer(consultation)
        print("Alice: they are together,", result.status, result.reason)
        await asyncio.sleep(60)  # Bob and Carol talk; then everybody closes


run(main())
