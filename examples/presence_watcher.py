"""Bob tells whoever he lets watch him whether he is there; Alice watches him until he is gone (RFC 6665, RFC 3863). On loopback."""

import asyncio

from ringback import EventPackage, UserAgent
from ringback.agent.event.event_package import ACTIVE, REJECTED

PIDF = "application/pidf+xml"
FRIENDS = ["sip:alice@127.0.0.1"]


def status(basic: str) -> bytes:
    tuple_ = f'<tuple id="t1"><status><basic>{basic}</basic></status></tuple>'
    return f'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:bob@127.0.0.1">{tuple_}</presence>'.encode()


async def watch(alice: UserAgent, uri: str) -> None:
    async with alice.subscribe(uri, "presence", expires=600, accept=[PIDF]) as subscription:
        async for notification in subscription:
            print(f"{notification.state}: Bob is", notification.body.partition(b"<basic>")[2].partition(b"<")[0].decode() or "gone")
    print(f"over: {subscription.reason}")


async def main() -> None:
    listen = ["udp://127.0.0.1:0"]
    async with UserAgent("sip:alice@127.0.0.1", listen=listen) as alice, UserAgent("sip:bob@127.0.0.1", listen=listen) as bob:
        presence = EventPackage(
            "presence", PIDF, state=status("closed"), authorize=lambda request: ACTIVE if request.from_.uri_text in FRIENDS else REJECTED
        )
        notifier = bob.serve_event(presence)
        watching = asyncio.create_task(watch(alice, f"sip:bob@127.0.0.1:{bob.endpoints[0].port}"))
        await asyncio.sleep(0.2)
        notifier.notify(status("open"))
        await asyncio.sleep(0.2)
        for subscription in notifier.subscriptions:
            subscription.terminate("noresource")
        await watching


asyncio.run(main())
