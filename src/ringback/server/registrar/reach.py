"""How the contacts of a REGISTER are reached: at their URI, by their Path, or down the flow it came over (RFC 3327, RFC 5626 §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ringback.message.fields.name_addr import NameAddr, Star
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.outbound.instance import instance_of
from ringback.server.registrar.extensions import has_option
from ringback.server.registrar.refused import Refused


class Reach(NamedTuple):
    """What is common to the contacts of one REGISTER."""

    path: str = ""
    """Its Path values, separated by commas."""
    flow: str = ""
    """The name of the flow it came over, where its contact is reached down that alone."""
    is_outbound: bool = False
    """Whether reg-id and instance say which binding it makes (RFC 5626 §6)."""


AT_ITS_URI = Reach()


def is_direct(request: Request) -> bool:
    """Whether no proxy stands between the user agent and us, so that its flow ends here."""
    return request.headers.count("via") == 1 and len(request.vias) == 1


def is_outbound(request: Request, contacts: Sequence[NameAddr | Star], path: Sequence[NameAddr]) -> bool:
    """Whether the rules of RFC 5626 §6 hold for a REGISTER; raises `Refused` where it asks for what its first hop cannot do."""
    addresses = [contact for contact in contacts if not isinstance(contact, Star)]
    numbered = [contact for contact in addresses if "reg-id" in contact.params]
    if not numbered:
        return False
    if not is_direct(request) and not (path and _is_edge(path[-1])):
        if has_option(request, "outbound"):
            raise Refused(439)
        return False
    if not any(instance_of(contact.params) for contact in numbered):
        return False
    wish = request.expires
    kept = [contact for contact in addresses if (wish if contact.expires is None else contact.expires) != 0]
    if len(kept) > 1 and any(contact in numbered for contact in kept):
        raise Refused(400, "One Contact Beside a reg-id, for One Flow")
    return True


def _is_edge(value: NameAddr) -> bool:
    # The first hop puts its value in before anybody else, so it stands last; the others need know nothing of flows (§5.1).
    uri = value.uri
    return isinstance(uri, SipUri) and "ob" in uri.params
