"""Who has sent somebody here: the Referred-By of a REFER and its token, carried into the request that it triggers (RFC 3892)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Request
from ringback.message.multipart import Multipart, Part


def token_of(refer: Request) -> Part | None:
    """The body part that proves a REFER's Referred-By, as it stands; None where there is none (§2.1: `cid` names its Content-ID).

    What cannot be read proves nothing and is not carried on: the target may ask for more (429).
    """
    try:
        referred_by = refer.value("Referred-By")
        content_type = refer.content_type
        if referred_by is None or content_type is None or content_type.type != "multipart":
            return None
        name = (referred_by.params.get("cid") or "").removeprefix('"').removesuffix('"')
        for part in Multipart.parse(refer.body, content_type).parts:
            if name and part.headers.text("Content-ID") == f"<{name}>":
                return part
    except SipParseError:
        pass
    return None


def put_token(request: Request, token: Part, boundary: str) -> None:
    """Puts a token beside whatever body a request has; `boundary` must occur in neither."""
    headers = request.headers
    headers.remove("Content-Length")
    parts = [token]
    if request.body:
        own = Headers()
        own.carry(headers, "content-type", "content-disposition")
        parts.insert(0, Part(own, request.body))
    headers.remove("Content-Disposition")
    multipart = Multipart(parts, boundary)
    headers.set("Content-Type", multipart.content_type)
    request.body = multipart.to_bytes()
    headers.append("Content-Length", len(request.body))
