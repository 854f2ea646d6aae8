"""Who is registered, and the end of a registration by the operator's word."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ringback.message.errors import SipParseError
from ringback.server.location.binding import Binding
from ringback.server.operation.control.json_rpc import INVALID_PARAMS, RpcError
from ringback.server.operation.control.listing import DEFAULT_LIMIT, Limit, leisurely

if TYPE_CHECKING:
    from ringback.server.server import Server


async def registrations(server: "Server", aor: str = "", contains: str = "", limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """The bindings of one address-of-record, or those with a text in their address-of-record, contact or source."""
    location = server.location
    now = location.clock()
    every: Iterable[Sequence[Binding]] = [location.registered(key_of(server, aor))] if aor else location.by_aor.values()
    total = 0
    found: list[dict[str, Any]] = []
    async for bindings in leisurely(every):
        for binding in bindings:
            if binding.expires_at <= now or not (contains in binding.aor or contains in binding.contact or contains in binding.source):
                continue
            total += 1
            if len(found) < limit:
                found.append(_shown(binding, now))
    return {"total": total, "registrations": found}


def _shown(binding: Binding, now: float) -> dict[str, Any]:
    return {
        "aor": binding.aor,
        "contact": binding.contact,
        "q": binding.q,
        "expires_in": round(binding.expires_at - now),
        "source": binding.source,
        "path": list(binding.route),
        "flow": binding.flow,
        "instance": binding.instance,
        "reg_id": binding.reg_id,
        "call_id": binding.call_id,
    }


async def unregister(server: "Server", aor: str, contact: str = "") -> dict[str, Any]:
    """Removes one binding of an address-of-record, or all of them; says which. Phones that refresh register anew."""
    location = server.location
    key = key_of(server, aor)
    now = location.clock()
    before = location.staged(key)
    kept = [binding for binding in before if contact and binding.contact != contact]
    removed = [binding for binding in before if binding not in kept and binding.expires_at > now]
    if not removed:
        raise RpcError(f"{aor} has no registration" + (f" with the contact {contact}" if contact else ""))
    committed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    location.update(key, kept, committed.set_result)
    error = await committed
    if error is not None:
        raise RpcError(f"nothing was removed: {error}")
    return {"removed": [_shown(binding, now) for binding in removed]}


def key_of(server: "Server", aor: str) -> str:
    """An address-of-record, as a person writes it, in the location service's own form."""
    text = aor if aor.partition(":")[0].lower() in ("sip", "sips") else f"sip:{aor}"
    try:
        key = server.domains.place(text).aor
    except SipParseError as error:
        raise RpcError(f"{aor} is no address such as alice@example.org: {error.reason}", INVALID_PARAMS) from None
    if key is None:
        raise RpcError(f"{aor} is not an address of a user of {', '.join(server.domains.names) or 'any domain'}", INVALID_PARAMS)
    return key
