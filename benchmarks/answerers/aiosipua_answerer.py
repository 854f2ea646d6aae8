"""An answering user agent on aiosipua: 180, 200 with its negotiated answer, BYE. `PORT` is its only argument."""

import asyncio
import sys
from typing import Any

from aiosipua import SipUAS, UdpSipTransport, negotiate_sdp

PORT = int(sys.argv[1])


def answer(call: Any) -> None:
    """180, then 200."""
    call.ringing()
    description, _ = negotiate_sdp(offer=call.sdp_offer, local_ip="127.0.0.1", rtp_port=9, supported_codecs=[0, 8])
    call.accept(description)


async def main() -> None:
    """Serves until it is ended."""
    server = SipUAS(UdpSipTransport(local_addr=("127.0.0.1", PORT)))
    server.on_invite = answer
    await server.start()
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
