"""Where a redirected request may still go (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Response
from ringback.message.uri import SipUri, Uri, parse_uri

# RFC 3261 §8.1.3.4 names no bound. A choice: no honest chain of redirections is as long as Max-Forwards' 70, few are longer than two.
_MOST_TARGETS = 10


class TargetSet:
    """The URIs of one request, each of which is tried once: first its own, then those of the 3xx responses to it, best first."""

    __slots__ = ("_is_secure", "_seen", "_waiting")

    def __init__(self, uri: str) -> None:
        self._seen: list[Uri] = []
        self._waiting: list[SipUri] = []
        self._is_secure = False
        try:
            first = parse_uri(uri)
        except SipParseError:
            return
        self._seen.append(first)
        self._is_secure = first.scheme == "sips"

    def take(self, response: Response) -> None:
        """Takes the Contacts of a 3xx; one that is malformed, no SIP URI, or known already is passed over.

        Nor is one taken that would lead from sips into the clear: §8.1.3.4 allows that if the user is told, and nobody is asked here.
        """
        found: list[tuple[float, SipUri]] = []
        try:
            texts = response.headers.texts("Contact")
        except SipParseError:
            return
        for text in texts:
            try:
                contact = NameAddr.parse(text)
                uri, q = contact.uri, contact.q
            except SipParseError:
                continue
            if not isinstance(uri, SipUri) or (self._is_secure and uri.scheme != "sips"):
                continue
            if len(self._seen) <= _MOST_TARGETS and not any(uri.matches(one) for one in self._seen):
                self._seen.append(uri)
                found.append((1.0 if q is None else q, uri))
        found.sort(key=lambda one: one[0], reverse=True)
        self._waiting += [uri for _, uri in found]

    def next(self) -> SipUri | None:
        """The next URI to try; None where all were tried."""
        return self._waiting.pop(0) if self._waiting else None


def request_uri(uri: SipUri) -> SipUri:
    """A URI as a Request-URI may be: without method and header fields (§19.1.1, table 1)."""
    copy = uri.copy()
    copy.headers_text = None
    copy.params.pop("method", None)
    return copy
