"""A menu of a telephone exchange, silent as yet: it answers, reads digits and acts on them; a caller that presses some, on loopback."""

import asyncio

from ringback import CallEnded, CallRejected, IncomingCall, UserAgent


async def menu(call: IncomingCall) -> None:
    """One coroutine is one call: returning hangs up, and where the caller hangs up first, whatever it waits for raises CallEnded."""
    await call.ring()
    await call.answer()
    choice = await call.read_digit(timeout=10)
    if choice == "1":
        await call.message("We are open from nine to five.")
    elif choice == "2":
        pin = "".join([await call.read_digit() or "" for _ in range(4)])
        await call.message("Welcome back." if pin == "4711" else "Sorry, no.")
    elif choice is None:
        await call.message("Nobody there?")


async def main() -> None:
    async with UserAgent("sip:reception@127.0.0.1", on_call=menu, listen=["udp://127.0.0.1:0"]) as reception:
        uri = f"sip:reception@127.0.0.1:{reception.endpoints[0].port}"
        hears = UserAgent("sip:alice@127.0.0.1", on_message=lambda message: print(f"  {message.text}"), listen=["udp://127.0.0.1:0"])
        async with hears as alice:
            for digits in ("1", "2 4711", "2 0000"):
                print(f"alice presses {digits}")
                try:
                    async with alice.call(uri) as call:
                        await call.send_digits(digits, duration=40)
                        await call.ended()
                except (CallEnded, CallRejected) as over:
                    print(f"  {over}")


asyncio.run(main())
