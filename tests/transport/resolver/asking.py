"""How a test asks a resolver."""

import asyncio

from ringback.address import Target
from ringback.transport.resolver import Resolver


async def resolve(resolver: Resolver, uri: str) -> list[Target]:
    """Where a URI leads, asked for where that is not known."""
    loop = asyncio.get_running_loop()
    known = resolver.known(uri, loop.time())
    if known is not None:
        return known
    found: asyncio.Future[list[Target]] = loop.create_future()
    resolver.ask(uri, found.set_result)
    return await found
