"""What a party is capable of, how it says so, and how it asks others: OPTIONS, feature tags (RFC 3261 §11, RFC 3840, RFC 3264 §9)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ringback.address import Endpoint
from ringback.agent.call.media import MediaFactory
from ringback.agent.call.negotiation import SDP, put_description
from ringback.agent.errors import failure
from ringback.agent.inspection import Refusal
from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.grammar import is_token
from ringback.message.message import Request, Response
from ringback.message.methods import METHODS
from ringback.sdp.description import SessionDescription
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

Readiness = Callable[[], int]
"""The status an INVITE would be answered with: 200 where it would be listened to."""

Features = Mapping[str, str | None]
"""Feature tags as they stand behind a Contact (RFC 3840 §9): `{"automata": None, "language": "en,fi"}`."""

# RFC 3840 §9: tags of the SIP tree that stand without `+sip.`; of media types these.
_MEDIA_TAGS = ("audio", "video", "application", "text", "data", "control")
_SDP_TYPE = MediaType("application", "sdp")


def feature_params(features: Features) -> str:
    """Feature tags as they stand behind a Contact; ValueError where a name is no token or a value cannot be quoted."""
    for name, value in features.items():
        if not is_token(name) or (value is not None and any(one in value for one in '"\\\r\n\0')):
            raise ValueError(f"no feature tag: {name}={value!r}")
    return "".join(f";{name}" if value is None else f';{name}="{value}"' for name, value in features.items())


class Capabilities:
    """What one party can do: its methods, extensions, media, and the features that the program names."""

    __slots__ = ("_core", "_features", "_media", "_readiness")

    def __init__(self, core: AgentCore, media: MediaFactory, readiness: Readiness, features: Features) -> None:
        """`features` are further feature tags; ValueError where a name is no token or a value cannot be quoted."""
        self._core = core
        self._media = media
        self._readiness = readiness
        self._features = features
        feature_params(features)

    def description(self, host: str) -> SessionDescription:
        """Our media as RFC 3264 §9 wants them described: a session of its own, every port 0, so that nobody takes it for an offer."""
        media = self._media(host)
        try:
            description = media.capabilities().copy()
        finally:
            media.close()
        description.origin = description.origin._replace(session_id=secrets.randbits(62))
        for medium in description.media:
            medium.port = 0
        return description

    def contact_params(self, endpoint: Endpoint) -> str:
        """The feature tags behind a Contact in REGISTER and in an answer to OPTIONS (RFC 3840 §6, §8), each with all that we can do."""
        core = self._core
        kinds = {medium.kind for medium in self.description(endpoint.advertised).media}
        tags: dict[str, str | None] = {kind: None for kind in _MEDIA_TAGS if kind in kinds}
        # RFC 3840 §5: nothing that is not in an RFC.
        tags["methods"] = ",".join(method for method in core.serving if method in METHODS)
        if core.event_packages:
            tags["events"] = ",".join(core.event_packages)
        if core.extensions:
            tags["extensions"] = ",".join(core.extensions)
        tags |= self._features
        return feature_params(tags)

    def receive(self, event: RequestReceived, _now: float) -> None:
        """Answers OPTIONS (§11.2): the status an INVITE would have, and all we can do; 200 within a dialog, which has its call already."""
        core = self._core
        request = event.request
        assert event.transaction is not None, "OPTIONS has a transaction"
        status = 200 if request.to_tag is not None else self._readiness()
        if status != 200:
            core.refuse(event, Refusal(status))
            return
        response = core.response(request, 200)
        headers = response.headers
        endpoint = event.flow.endpoint
        headers.append("Contact", core.identity.contact(endpoint) + self.contact_params(endpoint))
        core.add_capabilities(response)
        if not core.extensions:
            headers.append("Supported", "")
        headers.append("Accept", ", ".join(core.accepts))
        headers.append("Accept-Encoding", "identity")
        headers.append("Accept-Language", "en")
        if _wants_description(request):
            put_description(response, self.description(endpoint.advertised))
        core.respond(event.transaction, response)


def _wants_description(request: Request) -> bool:
    """Whether application/sdp may be the body of the answer: where Accept says so or says nothing (§11.2, §20.1)."""
    if "accept" not in request.headers.keys:
        return True
    try:
        ranges: list[MediaType] = request.headers.values("accept")
        # §20.1: the most specific range that includes it decides.
        matching = [one for one in ranges if one.includes(_SDP_TYPE)]
        matching.sort(key=lambda one: (one.type == "*", one.subtype == "*"))
        return bool(matching) and matching[0].q > 0
    except SipParseError:
        # Of a field that cannot be read nothing is known; §8.2.2 has it ignored.
        return True


async def ask_options(core: AgentCore, uri: str) -> Response:
    """Asks what the party at a URI can do and whether it would take a call now (§11.1); gives the answer, whatever its status.

    Raises `AuthenticationFailed` where we have no credentials for it, `RequestTimedOut` or `Unreachable` where no answer came.
    """
    request = core.request("OPTIONS", uri)
    request.headers.append("Accept", SDP)
    core.add_capabilities(request)
    exchange = await core.ask(request)
    response = exchange.response
    assert response is not None, "the exchange has ended"
    if exchange.fault or response.status in (401, 407):
        raise failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault)
    return response
