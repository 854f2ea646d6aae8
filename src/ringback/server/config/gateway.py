"""`[gateway.NAME]`: a group of trunks, and when one of them is left out."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri
from ringback.server.config.fault import ConfigError, shown

_MOST_TRUNKS = 100
_Failure = Annotated[int, Meta(ge=400, le=699)]


class TrunkConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trunk of a gateway."""

    uri: str
    weight: Annotated[int, Meta(ge=1, le=65_535)] = 1
    priority: Annotated[int, Meta(ge=0, le=65_535)] = 0


class GatewayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trunks that lead to the same numbers: [gateway.pstn] is what gateway = "pstn" of a route, or Gateway("pstn") in Python, means."""

    trunks: Annotated[
        list[TrunkConfig | str],
        Meta(
            description="Their URIs, or tables with uri, weight and priority: the lowest priority is tried first, and of equals each as "
            "often as its weight says (1 unless said). The user of a request takes the place of theirs.",
            examples=[["sip:192.0.2.7", {"uri": "sip:pstn.example.net;transport=tcp", "weight": 3, "priority": 1}]],
        ),
    ] = msgspec.field(default_factory=list)
    fails_over_on: Annotated[
        list[_Failure],
        Meta(
            description="Answers that send a request on to the next trunk, beside 503, no answer in proxy.failover_after seconds and "
            "no way to get there."
        ),
    ] = msgspec.field(default_factory=lambda: [500, 502, 504])
    cools_down_on: Annotated[
        list[_Failure],
        Meta(description="Answers after which a trunk is left out for a while, beside 503, no answer and no way to get there."),
    ] = msgspec.field(default_factory=list)
    cool_down_seconds: Annotated[
        float, Meta(ge=1, le=86_400, description="How long, where the answer has no Retry-After; a probe that is answered ends it.")
    ] = 60.0
    probe_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="Seconds between two OPTIONS to each trunk that ask whether it is there. 0 never asks.")
    ] = 30.0
    probe_failures: Annotated[
        int, Meta(ge=1, le=100, description="So many of them unanswered in a row, and the trunk is left out until one is answered.")
    ] = 2

    def __post_init__(self) -> None:
        if not self.trunks:
            raise ConfigError('must name at least one trunk, such as "sip:192.0.2.7"', "trunks")
        if len(self.trunks) > _MOST_TRUNKS:
            raise ConfigError(f"may name {_MOST_TRUNKS} trunks at most", "trunks")
        trunks = [trunk if isinstance(trunk, TrunkConfig) else TrunkConfig(uri=trunk) for trunk in self.trunks]
        seen: list[SipUri] = []
        for index, trunk in enumerate(trunks):
            try:
                uri = SipUri.parse(trunk.uri)
            except SipParseError as error:
                raise ConfigError(f"{shown(trunk.uri)} is no SIP URI: {error.reason}", f"trunks[{index}]") from None
            if any(uri.matches(other) for other in seen):
                raise ConfigError(f"{shown(trunk.uri)} stands there twice", f"trunks[{index}]")
            seen.append(uri)
        force_setattr(self, "trunks", trunks)
