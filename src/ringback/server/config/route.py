"""`[[route]]`: where requests for numbers go, for those who write no Python."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.message.errors import SipParseError
from ringback.message.uri import parse_uri
from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.value import domain_name
from ringback.server.targets.number_pattern import number_pattern

USER = "{user}"
"""What stands in a URI for the user as the route changes it."""
_Failure = Annotated[int, Meta(ge=400, le=699)]
_RingingTime = Annotated[float, Meta(ge=1, le=3600)]


class RouteConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where requests go whose user fits; the first that fits counts. A routing function comes before, the location service after them."""

    prefix: Annotated[str | None, Meta(description="The user, or the number of a tel URI, begins so.", examples=["00"])] = None
    pattern: Annotated[
        str | None,
        Meta(
            description="The whole user fits: X a digit, Z 1–9, N 2–9, [1-5] a set, at the end . for one or more characters, ! for any.",
            examples=["0[1-9]XX."],
        ),
    ] = None
    user: Annotated[str | None, Meta(description="The user is exactly this one.", examples=["support"])] = None
    domain: Annotated[str | None, Meta(description="Only in this domain; all that are served otherwise.", examples=["example.org"])] = None
    methods: Annotated[list[str], Meta(description="Only these methods; none named: all.", examples=[["INVITE", "MESSAGE"]])] = (
        msgspec.field(default_factory=list)
    )
    strip: Annotated[int, Meta(ge=0, le=64, description="So many characters are taken off the front of the user.")] = 0
    prepend: Annotated[str, Meta(description="Then this is put before it.", examples=["+"])] = ""
    to: Annotated[
        list[str],
        Meta(description="URIs to forward to; {user} stands for the user as changed.", examples=[["sip:{user}@192.0.2.7"]]),
    ] = msgspec.field(default_factory=list)
    gateway: Annotated[str | None, Meta(description="The gateway to forward to: the name of one of its own table.", examples=["pstn"])] = (
        None
    )
    else_to: Annotated[
        list[str], Meta(description="URIs to forward to where `to` or `gateway` failed.", examples=[["sip:voicemail@example.org"]])
    ] = msgspec.field(default_factory=list)
    redirect: Annotated[
        list[str], Meta(description="URIs the caller is told to try instead (302).", examples=[["sip:{user}@example.net"]])
    ] = msgspec.field(default_factory=list)
    reject: Annotated[_Failure | None, Meta(description="The request is refused with this status.", examples=[403])] = None
    one_by_one: Annotated[bool, Meta(description="The URIs of `to` are tried one after the other, not all at once.")] = False
    ring_for: Annotated[_RingingTime | None, Meta(description="Seconds each step may ring.", examples=[20])] = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.prefix, self.pattern, self.user)) != 1:
            raise ConfigError("needs exactly one of prefix, pattern and user", "route")
        said = [bool(self.to), self.gateway is not None, bool(self.redirect), self.reject is not None]
        if sum(said) != 1:
            raise ConfigError("needs exactly one of to, gateway, redirect and reject", "route")
        if self.else_to and not (self.to or self.gateway):
            raise ConfigError("stands beside to or gateway only", "route.else_to")
        if self.pattern is not None:
            try:
                number_pattern(self.pattern)
            except ValueError as error:
                raise ConfigError(str(error), "route.pattern") from None
        if self.domain is not None:
            try:
                force_setattr(self, "domain", domain_name(self.domain))
            except ConfigError as error:
                raise ConfigError(error.reason, "route.domain") from None
        for key in ("to", "else_to", "redirect"):
            for index, text in enumerate(getattr(self, key)):
                # What stands for a user has to fit wherever one may: a number that begins a tel URI is a global one.
                check_target(text.replace(f":{USER}", ":+0").replace(USER, "0"), f"route.{key}[{index}]", text)
        force_setattr(self, "methods", [method.upper() for method in self.methods])


def check_target(text: str, key: str, as_written: str | None = None) -> None:
    """Raises `ConfigError` where a target is no sip, sips or tel URI."""
    try:
        uri = parse_uri(text)
    except SipParseError as error:
        raise ConfigError(f"{shown(as_written or text)} is no URI: {error.reason}", key) from None
    if uri.scheme not in ("sip", "sips", "tel"):
        raise ConfigError(f"{shown(as_written or text)} must be a sip, sips or tel URI", key)
