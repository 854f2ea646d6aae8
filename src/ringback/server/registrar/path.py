"""The Path of a REGISTER: which proxies its phone is reached through (RFC 3327 §5.3)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.domains import Domains
from ringback.server.registrar.refused import Refused
from ringback.server.registrar.source import is_at

MAX_VALUES = 10
"""Path values kept for one binding: more proxies than that stand between no phone and its registrar."""
MAX_LENGTH = 2_048
"""Characters of them all together: each request to the phone carries them, and so does each 200."""


def path_of(request: Request, source: str | None, domains: Domains, *, is_supported: bool) -> list[NameAddr]:
    """The Path values of a REGISTER, the proxy nearest to us first. Raises `Refused` or `SipParseError` that names the field.

    `source` is the address it came from where the first proxy has to be there, else None; `is_supported`: whether its user agent said
    that it knows of Path, or need not.
    """
    if not is_supported:
        # A proxy put itself between a phone and its calls, and the phone cannot tell (§5.3).
        raise Refused(420, headers=[("Unsupported", "path")])
    values: list[NameAddr] = request.headers.values("path")
    if len(values) > MAX_VALUES:
        raise Refused(403, f"Path Too Long, at Most {MAX_VALUES} Values")
    if sum(len(str(value)) + 2 for value in values) > MAX_LENGTH:
        raise Refused(403, f"Path Too Long, at Most {MAX_LENGTH} Characters")
    for value in values:
        if not isinstance(_uri(value), SipUri):
            raise SipParseError("not a SIP URI", "Path")
    if values:
        _check_first(_uri(values[0]), source, domains)
    return values


def _uri(value: NameAddr) -> object:
    try:
        return value.uri
    except SipParseError as error:
        raise SipParseError(error.reason, "Path") from None


def _check_first(uri: object, source: str | None, domains: Domains) -> None:
    """Everything for the phone goes to the first proxy: it must be another than we, and where nobody vouches for it, who sent this."""
    assert isinstance(uri, SipUri)
    target = uri if uri.maddr is None else SipUri(uri.maddr, port=uri.port, scheme=uri.scheme)
    if domains.is_ours(uri) or domains.is_own_address(target):
        raise Refused(403, "Path Leads Back to This Server")
    if source is not None and not all(is_at(host, source) for host in (uri.host, target.host)):
        raise Refused(403, f"Path Does Not Begin at {source} Where the REGISTER Came From")
