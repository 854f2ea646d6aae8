"""The host of a URI, Via or parameter: hostname, IPv4 address or IPv6 reference (RFC 3261 §25.1, RFC 5954)."""

from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from ringback.message.errors import SipParseError
from ringback.message.grammar import ascii_lower

# hostname = *( domainlabel "." ) toplabel [ "." ]
# Departs from RFC 3261 §25.1: "_" is taken too, and a label may begin or end with "-" or consist of digits: names of containers
# and of private networks look like that, and a resolver decides better than a parser whether a name exists.
HOSTNAME = r"[A-Za-z0-9_\-]++(?>(?:\.[A-Za-z0-9_\-]++)*)\.?+"
# IPv6reference = "[" IPv6address "]"; the text between the brackets is checked by `ipv6`
IPV6_REFERENCE = r"\[[0-9A-Fa-f:.]{2,46}+\]"
HOST = f"(?:{HOSTNAME}|{IPV6_REFERENCE})"


@lru_cache(maxsize=1024)
def ipv6(text: str) -> str:
    """The IPv6 address `text` (without brackets) in lower case, otherwise as written; SipParseError if it is none.

    RFC 5118 §4.10: the third colon that RFC 3261's own grammar asks for before an embedded IPv4 address is dropped.
    """
    text = ascii_lower(text)
    if ":::" in text and "." in text:
        text = text.replace(":::", "::", 1)
    if "%" in text:
        raise SipParseError("not an IPv6 address")
    try:
        IPv6Address(text)
    except AddressValueError:
        raise SipParseError("not an IPv6 address") from None
    return text


@lru_cache(maxsize=1024)
def _canonical_ipv6(text: str) -> str:
    return IPv6Address(text).compressed


def same_host(one: str, other: str) -> bool:
    """Whether two hosts as `parse_host` gives them are the same: names as text, IPv6 addresses as numbers (RFC 5954 §4.2)."""
    if one == other:
        return True
    return ":" in one and ":" in other and _canonical_ipv6(one) == _canonical_ipv6(other)


def parse_host(text: str) -> str:
    """`text`, known to look like `HOST`, as a value: lower case, an IPv6 address without its brackets."""
    return ipv6(text[1:-1]) if text[0] == "[" else ascii_lower(text)


def render_host(host: str) -> str:
    """The host as a URI writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
