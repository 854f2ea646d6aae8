"""Why a call was ended, as its end says it: Reason (RFC 3326)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.fields.reason import Reason
from ringback.message.message import Request, Response


def reasons_of(message: Request | Response) -> tuple[Reason, ...]:
    """The reasons a message gives, at most one for each protocol (§2); () where there are none, or none that can be read."""
    try:
        found: list[Reason] = message.headers.values("Reason")
    except SipParseError:
        return ()
    reasons: dict[str, Reason] = {}
    for reason in found:
        reasons.setdefault(reason.protocol, reason)
    return tuple(reasons.values())


def in_words(end: str, reasons: tuple[Reason, ...]) -> str:
    """What ended a call, and the reasons for it, in a line."""
    return "; ".join([end, *[str(reason) for reason in reasons]])


def allowed_in_refusal(reason: str | None) -> tuple[tuple[str, object], ...]:
    """The field for a final response other than 2xx: RFC 3326 §2 leaves that to others, and RFC 6432 allows the causes of Q.850.

    Raises `SipParseError` where `reason` is no value of Reason.
    """
    value = None if reason is None else Reason.parse(reason)
    return (("Reason", value),) if value is not None and value.protocol == "Q.850" else ()
