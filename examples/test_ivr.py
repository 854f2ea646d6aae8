"""A menu of a telephone exchange, and its test in simulated time: the caller waits ten seconds, and nobody else does.

pytest examples/test_ivr.py
"""

from ringback import IncomingCall
from ringback.testing import AgentFactory


async def menu(call: IncomingCall) -> None:
    """What is tested; your own test imports it from your program."""
    await call.answer()
    choice = await call.read_digit(timeout=10)
    if choice == "1":
        await call.message("We are open from nine to five.")
    elif choice is None:
        await call.message("Nobody there?")


async def test_one_tells_when_we_are_open(sip_agent: AgentFactory) -> None:
    await sip_agent("reception", on_call=menu)
    heard: list[str] = []
    alice = await sip_agent("alice", on_message=lambda message: heard.append(message.text))
    async with alice.call("sip:reception@reception.test") as call:
        await call.send_digits("1")
        await call.ended()
    assert heard == ["We are open from nine to five."]


async def test_who_says_nothing_is_asked(sip_agent: AgentFactory) -> None:
    await sip_agent("reception", on_call=menu)
    heard: list[str] = []
    alice = await sip_agent("alice", on_message=lambda message: heard.append(message.text))
    async with alice.call("sip:reception@reception.test") as call:
        await call.ended()
    assert heard == ["Nobody there?"]
