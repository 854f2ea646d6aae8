"""`[proxy]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class ProxyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are forwarded (RFC 3261 §16)."""

    mode: Annotated[
        Literal["stateful", "stateless"],
        Meta(description="Whether state is kept of requests that no [domain] table speaks of (§16.11: first contact only, no forking)."),
    ] = "stateful"
    record_route: Annotated[
        bool,
        Meta(
            description="Stay in the path of every dialog (§16.6 item 4); without it only of those that need it: of phones "
            "behind a NAT, and between transports."
        ),
    ] = True
    timer_c: Annotated[
        float,
        Meta(gt=180, le=3600, description="Seconds an INVITE may ring without a word (Timer C): more than three minutes (§16.6 item 11)."),
    ] = 181.0
    ring_for: Annotated[
        float,
        Meta(ge=1, le=3600, description="Seconds a target rings before the next one's turn, or those of one q before those of a lower q."),
    ] = 20.0
    failover_after: Annotated[
        float,
        Meta(
            ge=0.5,
            le=32,
            description="Seconds a server may be silent before the next one is tried, where DNS names several or a phone has several flows "
            "(RFC 3263 §4.3).",
        ),
    ] = 4.0
    recurse: Annotated[
        bool,
        Meta(description="Follow a 3xx of a target in the caller's place, to users served here and where relay.allow says (§16.7 item 4)."),
    ] = False
    redirect_on_request: Annotated[
        bool,
        Meta(
            description="Answer a caller who asks for that (Request-Disposition: redirect, RFC 3841 §9.1) with the callee's contacts. It "
            "tells everybody who may call where the callee's phones are."
        ),
    ] = False
    send_199: Annotated[
        bool,
        Meta(
            description="Tell a caller who understands it (Supported: 199) when one of several phones that rang has refused, while the "
            "others ring on (RFC 6228)."
        ),
    ] = False
    history_info: Annotated[
        bool,
        Meta(description="Tell every target, and callers who ask for it, which targets a request had before, and why not (RFC 7044)."),
    ] = False
    diversion: Annotated[
        bool,
        Meta(description="Tell a target in Diversion who has sent the call on, and why, as trunks and voicemails want it (RFC 5806)."),
    ] = False
    max_branches: Annotated[int, Meta(ge=1, le=1000, description="Targets one request is forwarded to at most.")] = 10
    max_breadth: Annotated[
        int, Meta(ge=1, le=1000, description="Branches a request may have at one time in all proxies together (RFC 5393 §5.3.3).")
    ] = 60
