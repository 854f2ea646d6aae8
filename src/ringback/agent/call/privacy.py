"""Calls whose caller shall not be known: what is left out, and what the network is asked to hide (RFC 3323 §4, RFC 3325 §7, §9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.agent.identity import Identity
from ringback.message.fields.privacy import Privacy
from ringback.message.message import Request

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

_ANONYMOUS = "sip:anonymous@anonymous.invalid"

# RFC 3323 §4.2 and RFC 3325 §9.3. `user` is what intermediaries ask for (§4.2), `none` is the contrary.
_KINDS = ("header", "session", "id")


def privacy_of(anonymous: bool | str) -> Privacy | None:
    """What a program asks for: True hides who calls, "header;session;id" names what to hide as Privacy does; None for False.

    ValueError for what is no privacy that a user agent may ask for.
    """
    if anonymous is False:
        return None
    privacy = Privacy("id") if anonymous is True else Privacy.parse(anonymous)
    asked_for = [value for value in privacy.values if value != "critical"]
    is_valid = asked_for and len(set(privacy.values)) == len(privacy.values) and all(value in _KINDS for value in asked_for)
    if not is_valid or "critical" in privacy.values[:-1]:
        raise ValueError(f"no privacy that can be asked for: {privacy}")
    return privacy


def anonymous_identity(identity: Identity) -> Identity:
    """Nobody, who is reached at the same places (RFC 3323 §4.1.1): From says Anonymous, Contact names no user."""
    nobody = Identity(_ANONYMOUS, "Anonymous")
    nobody.user = ""
    nobody.uri.scheme = identity.uri.scheme
    # RFC 5627 §4.4: a temporary one says as little, and leads to us from anywhere.
    nobody.gruu = identity.temporary_gruu
    return nobody


def veil(core: AgentCore, request: Request, privacy: Privacy, next_hop_host: str | None) -> None:
    """Takes out of a request what need not be in it and tells who we are; asks for privacy. Its From is anonymous already.

    P-Preferred-Identity goes only to who is trusted with it: the servers that may ask for our password (RFC 3325 §6).
    """
    headers = request.headers
    headers.remove("User-Agent")
    headers.append("Privacy", privacy)
    if core.accounts.trusts(next_hop_host):
        headers.append("P-Preferred-Identity", core.identity.address)
