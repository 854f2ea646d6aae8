"""A bot that reads messages and writes back, and somebody who talks with it: two user agents on a simulated network."""

import asyncio
from functools import partial

from ringback import IncomingMessage, Refused, UserAgent
from ringback.agent.instant_message import OnMessage
from ringback.testing import Network, run

ANSWERS = {"ping": "pong", "who are you?": "a user agent of forty lines"}


async def main() -> None:
    network = Network()

    def party(name: str, host: str, on_message: OnMessage) -> UserAgent:
        """With real sockets this is UserAgent("sip:bot@example.com", password="…", on_message=…)."""
        transports = partial(network.host, host)
        return UserAgent(f"sip:{name}@{host}", on_message=on_message, listen=[f"udp://{host}:5060"], open_transports=transports)

    async def answer(message: IncomingMessage) -> None:
        if message.text not in ANSWERS:
            raise Refused(488, "Not Understood")
        await bot.message(message.sender.uri_text, ANSWERS[message.text])

    def show(message: IncomingMessage) -> None:
        print(f"{message.sender.uri_text}: {message.text}")

    async with party("bot", "10.0.0.1", answer) as bot, party("alice", "10.0.0.2", show) as alice:
        for text in ANSWERS:
            print(f"alice: {text}")
            await alice.message("sip:bot@10.0.0.1", text)
        refused = await asyncio.gather(alice.message("sip:bot@10.0.0.1", "what is the time?"), return_exceptions=True)
        print(*refused)


run(main())
