"""A response on its way through: what matching and a proxy read of it, without taking it apart (RFC 3261 §16.7, §17.1.3)."""

from __future__ import annotations

import re

from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Response
from ringback.message.methods import METHODS

# A provisional or successful response as nearly everybody writes it: its topmost Via first and alone in its line, with a port and a branch.
_beginning = re.compile(
    rb"SIP/2\.0 ([12][0-9][0-9]) [^\r\n]{0,200}+\r\n"
    rb"(Via: SIP/2\.0/[A-Z]{2,4}+ ([A-Za-z0-9.\-]{1,255}+:[1-9][0-9]{0,4}+)"
    rb";branch=(z9hG4bK[A-Za-z0-9.\-]{1,249}+)(?>(?:;[^,\"\r\n]{0,500}+)?)\r\n)(?![ \t])"
).match
_METHODS = {method.encode(): method for method in METHODS}
_STATUSES = {b"%d" % status: status for status in range(100, 300)}
_BLANKS = b" \t"
_LENGTH = b"\r\nContent-Length: "
_CSEQ = b"\r\nCSeq: "


class PassingResponse(Response):
    """A 1xx or 2xx of which only status, topmost Via and CSeq's method were looked at; all else is parsed when it is asked for.

    Where that fails, the accessor raises `SipParseError`: a proxy that never asks forwards the fault as it came (§16.3 item 1).
    """

    __slots__ = ("_octets", "_parsed", "_via", "branch", "method", "sent_by")

    def __init__(self, octets: bytes, status: int, via: tuple[int, int], branch: str, sent_by: str, method: str) -> None:
        self.status = status
        self.branch = branch
        """The branch of the topmost Via."""
        self.sent_by = sent_by
        """The sent-by of the topmost Via, as `host:port`."""
        self.method = method
        """The method in CSeq."""
        self._octets = octets
        self._via: tuple[int, int] | None = via
        self._parsed: Response | None = None

    def _parse(self) -> Response:
        if self._parsed is None:
            from ringback.message.parser import parse_message

            parsed = parse_message(self._octets)
            if not isinstance(parsed, Response):
                raise SipParseError("Malformed Response")
            self._parsed = parsed
        return self._parsed

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has taken it apart yet: then what was glanced at is what it says."""
        return self._parsed is None

    @property
    def headers(self) -> Headers:  # type: ignore[override]  # a slot there, parsed on demand here
        """The header fields, from here on to be changed at will."""
        return self._parse().headers

    @property
    def body(self) -> bytes:  # type: ignore[override]  # likewise
        """The body."""
        return self._parse().body

    @property
    def reason(self) -> str:  # type: ignore[override]  # likewise
        """The reason phrase."""
        return self._parse().reason

    def copy(self) -> Response:  # type: ignore[override]  # the copy is an ordinary response
        """An independent copy."""
        return self._parse().copy()

    def remove_top_via(self) -> bool:
        """Removes the topmost Via (§16.7 item 3); False where none is left."""
        if self._via is None or self._parsed is not None:
            return self._parse().remove_top_via()
        start, end = self._via
        self._octets = self._octets[:start] + self._octets[end:]
        self._via = None
        return self._octets.startswith(b"Via: ", start) or "via" in self._parse().headers

    def take_top_via(self) -> tuple[str, str] | None:
        """Removes the topmost Via; gives it and the next one as written. None, and nothing is changed, where that takes a parse."""
        if self._via is None or self._parsed is not None:
            return None
        octets = self._octets
        start, end = self._via
        stop = octets.find(b"\r\n", end)
        below = octets[end + 5 : stop]
        if octets[end : end + 5] != b"Via: " or octets[stop + 2] in _BLANKS or b"," in below:
            return None
        self._octets = octets[:start] + octets[end:]
        self._via = None
        return octets[start + 5 : end - 2].decode(), below.decode("utf-8", "surrogateescape")

    def to_bytes(self) -> bytes:
        """The message as it goes on the wire."""
        return self._octets if self._parsed is None else self._parsed.to_bytes()


def branch_of(response: Response) -> str:
    """The branch of a response's topmost Via, "" where that has none; raises `SipParseError` where it cannot be read."""
    if isinstance(response, PassingResponse) and response.is_untouched:
        return response.branch
    return response.via.branch or ""


def glance(data: bytes) -> PassingResponse | None:
    """The response in a datagram, if a glance is enough: None for every other message and for whatever is written in an unusual way."""
    found = _beginning(data)
    if found is None:
        return None
    end = data.find(b"\r\n\r\n")
    at = data.find(_LENGTH, 0, end + 2)
    cseq = data.find(_CSEQ, 0, end)
    if at < 0 or cseq < 0:
        return None
    length_end = data.find(b"\r\n", at + 18)
    cseq_end = data.find(b"\r\n", cseq + 8)
    # A line that the next one continues (§7.3.1) says something else than what stands in it.
    if data[length_end + 2] in _BLANKS or data[cseq_end + 2] in _BLANKS:
        return None
    if data[at + 18 : length_end] != b"%d" % (len(data) - end - 4):
        return None
    method = _METHODS.get(data[data.rfind(b" ", cseq, cseq_end) + 1 : cseq_end])
    if method is None:
        return None
    status, _, sent_by, branch = found.groups()
    return PassingResponse(data, _STATUSES[status], found.span(2), branch.decode(), sent_by.decode(), method)
