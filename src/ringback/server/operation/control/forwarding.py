"""Where the calls of users go instead, asked for and changed while the server runs."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from ringback.server.operation.control.json_rpc import INVALID_PARAMS, RpcError
from ringback.server.operation.control.registrations import key_of
from ringback.server.store import StoreError
from ringback.server.targets.call_forwarding import RING_FOR, Forwarding, ForwardingTable
from ringback.server.users import UserError

if TYPE_CHECKING:
    from ringback.server.server import Server

Condition = Literal["always", "busy", "no_answer", "unregistered"]
Seconds = Annotated[float, Meta(ge=RING_FOR[0], le=RING_FOR[1])]


def forwarding(server: "Server", aor: str = "") -> dict[str, Any]:
    """What one user has arranged, or everybody who has arranged anything, by address-of-record."""
    standing = server.core.determination.retargeting.forwarding
    if not aor:
        return {key: _shown(said) for key, said in sorted(standing.items())}
    key = key_of(server, aor)
    return {key: _shown(standing.get(key, Forwarding()))}


def forward(server: "Server", aor: str, condition: Condition, target: str, ring_for: Seconds | None = None) -> dict[str, Any]:
    """Sends a user's calls elsewhere under a condition; `ring_for`, in seconds, belongs to "no_answer". Says what then holds."""
    key = key_of(server, aor)
    _change(server, key, lambda table, name, domain: table.forward(name, domain, condition, target, ring_for))
    return forwarding(server, key)


def unforward(server: "Server", aor: str, condition: Condition | None = None) -> dict[str, Any]:
    """Sends a user's calls elsewhere no more under this condition, or under none. Says what then holds."""
    key = key_of(server, aor)
    _change(server, key, lambda table, name, domain: table.clear(name, domain, condition))
    return forwarding(server, key)


def _change(server: "Server", key: str, change: Any) -> None:
    name, _, domain = key.removeprefix("sip:").rpartition("@")
    if server.store is None:
        raise RpcError("this server keeps nothing: without a data folder no user has anything arranged")
    try:
        change(ForwardingTable(server.store), name, domain)
    except UserError as error:
        raise RpcError(str(error), INVALID_PARAMS) from None
    except StoreError as error:
        raise RpcError(str(error)) from None
    server.forward_calls()


def _shown(said: Forwarding) -> dict[str, Any]:
    return {name: value for name, value in said._asdict().items() if value is not None}
