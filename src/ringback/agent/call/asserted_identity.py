"""Who somebody is by the word of a peer that is trusted (RFC 3325 §8, §9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from ringback.address import Flow
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, TelUri

if TYPE_CHECKING:
    from collections.abc import Callable

    from ringback.agent.core import AgentCore


def trusting(networks: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address is in one of the networks, each an address or `address/bits`; ValueError where one is neither."""
    trusted = [ip_network(network, strict=False) for network in networks]

    @lru_cache(maxsize=256)
    def is_trusted(host: str) -> bool:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in trusted)

    return is_trusted if trusted else _trusts_nobody


def _trusts_nobody(_host: str) -> bool:
    return False


def asserted_identities(core: AgentCore, message: Request | Response, flow: Flow) -> list[NameAddr]:
    """The values of P-Asserted-Identity where they come from a trusted peer: one, or a SIP URI and a tel URI; [] otherwise.

    §8: from anybody else they are not used in any way. So it is with values that are none by §9.1.
    """
    if "p-asserted-identity" not in message.headers.keys or not core.trusts(flow.host):
        return []
    try:
        values: list[NameAddr] = message.headers.values("P-Asserted-Identity")
        kinds = [SipUri if isinstance(value.uri, SipUri) else TelUri if isinstance(value.uri, TelUri) else None for value in values]
    except SipParseError:
        return []
    is_valid = None not in kinds and len(kinds) <= 2 and len(set(kinds)) == len(kinds)
    return values if is_valid else []
