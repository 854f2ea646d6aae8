"""What is looked at before a request is acted upon (RFC 3261 §8.2.1 to §8.2.3): method, Request-URI, Require."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ringback.message.grammar import ascii_lower
from ringback.message.message import Request
from ringback.message.uri import SipUri, TelUri

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

_NOTHING: tuple[tuple[str, object], ...] = ()


class Refusal(NamedTuple):
    """A response that acts upon nothing: its status, its reason phrase (None for the RFC's own) and what it carries besides."""

    status: int
    reason: str | None = None
    fields: tuple[tuple[str, object], ...] = _NOTHING


def inspect(core: AgentCore, request: Request, *, is_in_dialog: bool) -> Refusal | None:
    """Why a request cannot be acted upon; None where it can. `SipParseError` where a field that is needed is malformed."""
    method = request.method
    if method not in core.serving:
        return Refusal(405, None, (("Allow", core.allow),))
    if not is_in_dialog and not isinstance(request.uri, SipUri | TelUri):
        return Refusal(416)
    keys = request.headers.keys
    if ("replaces" in keys or "join" in keys) and (is_in_dialog or method != "INVITE"):
        # RFC 3891 §3, RFC 3911 §4: they are of requests that begin a call.
        return Refusal(400, "Replaces Or Join Out Of Place")
    if "require" in keys:
        unknown = [tag for tag in request.require if tag not in core.extensions]
        if unknown:
            return Refusal(420, None, (("Unsupported", ", ".join(dict.fromkeys(unknown))),))
    if "content-encoding" in keys and request.body:
        return _unencoded(request)
    return None


def _unencoded(request: Request) -> Refusal | None:
    """§8.2.3: 415 for a body in an encoding, none of which is understood here; one that is optional is taken for none."""
    if all(ascii_lower(encoding) == "identity" for encoding in request.headers.values("Content-Encoding")):
        return None
    disposition = request.headers.value("Content-Disposition")
    if disposition is None or disposition.is_required:
        return Refusal(415, None, (("Accept-Encoding", "identity"),))
    request.body = b""
    return None


def shortcoming(request: Request, required: Iterable[str]) -> Refusal | None:
    """421 for a request whose sender does not know every extension without which we do nothing (§21.4.16); None where it does.

    `SipParseError` where Supported or Require is malformed.
    """
    known = {*request.supported, *request.require}
    lacking = [tag for tag in required if tag not in known]
    return Refusal(421, None, (("Require", ", ".join(lacking)),)) if lacking else None
