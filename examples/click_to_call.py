"""Click to call (RFC 3515): a program asks Alice's phone to call Bob, and hears what comes of it; loopback.

python examples/click_to_call.py
"""

import asyncio

from ringback import IncomingCall, Referral, UserAgent


async def bobs_phone(call: IncomingCall) -> None:
    await call.ring()
    await call.answer()
    print("Bob talks with", call.remote.display_name, "sent by", call.request.value("Referred-By").uri)
    await call.ended()


async def alices_phone(referral: Referral) -> None:
    if referral.referred_by is None or referral.referred_by.uri_text != "sip:web@127.0.0.1":
        referral.decline(403)
        return
    async with referral.follow():  # 202 Accepted; INVITE; every step is reported
        await asyncio.sleep(0.1)


async def main() -> None:
    local = ["udp://127.0.0.1:0"]
    alice = UserAgent("sip:alice@127.0.0.1", display_name="Alice", on_refer=alices_phone, listen=local)
    bob = UserAgent("sip:bob@127.0.0.1", on_call=bobs_phone, listen=local)
    async with alice, bob, UserAgent("sip:web@127.0.0.1", listen=local) as web:
        at = [f"127.0.0.1:{agent.endpoints[0].port}" for agent in (alice, bob)]
        result = await web.refer(f"sip:alice@{at[0]}", f"sip:bob@{at[1]}?Subject=You%20clicked")
        print("It rings and is answered:", result.status, result.reason)
        await asyncio.sleep(0.2)


asyncio.run(main())
