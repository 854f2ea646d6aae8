"""Which user agent a Contact is of, and which of its flows: +sip.instance and reg-id (RFC 5626 §4.1, §4.2)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.grammar import Params, ascii_lower, parse_uint, unquote

# reg-id = 1*DIGIT, from 1 to 2^31 − 1
_MOST_REG_ID = 2**31 - 1


def urn(text: str) -> str:
    """A URN as it is compared: urn:uuid is blind to case throughout (RFC 4122 §3), any other in its scheme and namespace (RFC 2141 §5)."""
    lower = ascii_lower(text)
    if lower.startswith("urn:uuid:"):
        return lower
    scheme, _, rest = text.partition(":")
    namespace, colon, name = rest.partition(":")
    return f"{ascii_lower(scheme)}:{ascii_lower(namespace)}:{name}" if colon else text


def instance_of(params: Params) -> str:
    """The instance ID in a Contact's parameters, as it is compared; "" where there is none."""
    value = params.get("+sip.instance")
    if value is None or value[:1] != '"':
        return ""
    text = unquote(value)
    return urn(text[1:-1]) if text[:1] == "<" and text[-1:] == ">" else ""


def reg_id_of(params: Params) -> int:
    """The reg-id in a Contact's parameters; raises `SipParseError` where it is none."""
    number = parse_uint(params.get("reg-id") or "", _MOST_REG_ID)
    if number < 1:
        raise SipParseError("malformed reg-id")
    return number
