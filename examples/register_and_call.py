"""Two people register with a server; one calls the other by name. Server, network and time are simulated: it takes no time at all."""

import asyncio
from functools import partial

from ringback import IncomingCall, UserAgent
from ringback.server.config import Config
from ringback.server.server import Server
from ringback.testing import Network, run

SERVER = "192.0.2.100"


async def reception(call: IncomingCall) -> None:
    await call.ring()
    await asyncio.sleep(2)
    await call.answer()
    print("Bob, after", await call.ended())


async def main() -> None:
    network = Network()
    config = Config(listen=[f"udp://{SERVER}:5060"], domains=["example.com"], auth="none")
    server = Server(config, report=print, open_transports=partial(network.host, SERVER))
    await server.start()

    def party(name: str, host: str) -> UserAgent:
        here, transports = [f"udp://{host}:5060"], partial(network.host, host)
        return UserAgent(f"sip:{name}@example.com", proxy=f"sip:{SERVER}", on_call=reception, listen=here, open_transports=transports)

    async with party("alice", "192.0.2.1") as alice, party("bob", "192.0.2.2") as bob, bob.registration(expires=600):
        print("registered:", *await bob.bindings())
        async with alice.call("sip:bob@example.com") as call:
            print("answered by", call.remote.uri)
            await asyncio.sleep(3600)
    await server.close()


run(main())
