"""What became of a request here, told to whoever gets it next and to the caller: History-Info (RFC 7044) and Diversion (RFC 5806)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringback.message.errors import SipParseError
from ringback.message.fields.history_info import HistoryInfo, Index, render_index
from ringback.message.grammar import MAX_URI, ascii_lower, is_token
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, TelUri, parse_uri
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.forwarding import request_uri

if TYPE_CHECKING:
    from ringback.server.proxy.branch import Branch

# A choice: forwarding loops end after 20 decisions or 70 hops, and each entry makes the request longer.
_MOST_ENTRIES = 40

_HIDDEN = "sip:anonymous@anonymous.invalid"

Diverted = tuple[str, str]
"""Who sent a call on, as a URI, and why."""

# What a final response says of the one who gave it (RFC 5806 §4).
_REASONS = {486: "user-busy", 600: "user-busy", 408: "no-answer", 480: "no-answer", 404: "unavailable", 430: "unavailable"}


def reason_of(status: int, *, found_nobody: bool = False) -> str:
    """Why a call is diverted, by the final response before it."""
    if found_nobody:
        return "unavailable"
    return "deflection" if 300 <= status < 400 else _REASONS.get(status, "unknown")


def diverted_by(response: Response) -> list[Diverted]:
    """Who a 3xx says has sent the call on; it goes into the requests that follow (RFC 5806 §5.4)."""
    try:
        return [(value.uri_text, value.reason) for value in response.headers.values("Diversion") if is_token(value.reason)]
    except SipParseError:
        return []


class Trace:
    """What one branch's request says of the targets before it and of its own."""

    __slots__ = ("diverted", "entries", "uri")

    def __init__(self, uri: str, entries: list[HistoryInfo], diverted: tuple[Diverted, ...]) -> None:
        self.uri = uri
        self.entries = entries
        self.diverted = diverted


class Trail:
    """The targets of one request so far."""

    __slots__ = (
        "_cache",
        "_children",
        "_diverted",
        "_has_privacy",
        "_indexes",
        "_is_ours",
        "_origin",
        "_root",
        "_subject",
        "_tells",
        "_with_diversion",
    )

    def __init__(
        self, request: Request, aor: str | None, is_ours: Callable[[str], bool], *, with_history: bool, with_diversion: bool
    ) -> None:
        """`aor` is the user that the request is for, if it is one of ours; `is_ours(host)` says which URIs are of domains served here."""
        self._is_ours = is_ours
        self._with_diversion = with_diversion
        self._subject = aor or request.uri_text
        self._diverted: tuple[Diverted, ...] = ()
        self._cache: list[HistoryInfo] | None = None
        self._root: Index = (1,)
        self._children: dict[Index, int] = {}
        self._tells = False
        self._has_privacy = False
        if with_history:
            self._begin(request)
        # Where those who were called stand in the tree, and who has sent the request on last.
        self._indexes: dict[str, Index] = {self._subject: self._root}
        self._origin: Index = self._root

    def _begin(self, request: Request) -> None:
        """Takes the entries of a request, and adds the one that the hop before did not (§9.1)."""
        try:
            entries = request.headers.values("History-Info")
            self._tells = bool(entries) or "histinfo" in [ascii_lower(tag) for tag in request.supported]
            privacy = request.headers.value("Privacy") if "privacy" in request.headers.keys else ()
            self._has_privacy = "history" in privacy or "header" in privacy
            last = entries[-1].index if entries else ()
            for entry in entries:
                entry.index  # noqa: B018 - an index that cannot be read makes an order of no use
            is_missing = not entries or not _is_same(entries[-1].uri_text, request.uri_text)
        except SipParseError:
            return
        if len(entries) > _MOST_ENTRIES:
            return
        self._root = (*last, 0) if last else (1,)
        self._cache = list(entries)
        if is_missing:
            self._cache.append(_entry(request.uri_text, self._root))
        else:
            self._root = last

    # Where it goes.

    def divert(self, destinations: Sequence[Destination], diverted: Sequence[Diverted], because: str | None) -> None:
        """A decision leads on: `diverted` are those who arranged it beforehand, the latest first; `because`, if who was called failed."""
        known = list(self._diverted)
        is_same = all(self._is_for(self._subject, one) for one in destinations)
        if because is not None and not is_same:
            known.insert(0, (self._subject, because))
        for party, reason in reversed(diverted):
            known.insert(0, (party, reason))
            if party != self._subject:
                self._origin = self._indexes.get(self._subject, self._root)
                self._index_of(party)
                self._subject = party
        self._diverted = tuple(known)
        self._origin = self._indexes.get(self._subject, self._root)
        parties = {one.aor or one.uri for one in destinations}
        if len(parties) == 1 and not is_same:
            self._subject = parties.pop()

    def _index_of(self, aor: str) -> Index:
        """The index of a user that the request is sent on to within this proxy: he has an entry as well (§7)."""
        index = self._indexes.get(aor)
        if index is None:
            index = self._indexes[aor] = self._next(self._root)
            if self._cache is not None:
                self._cache.append(_entry(aor, index, mp=self._origin))
        return index

    def _next(self, parent: Index) -> Index:
        number = self._children[parent] = self._children.get(parent, 0) + 1
        return (*parent, number)

    def _is_for(self, subject: str, destination: Destination) -> bool:
        """Whether a destination is the same user as one called before (§10.4): a phone of his, or his name elsewhere."""
        return destination.aor == subject if destination.aor else _user_of(destination.uri) == _user_of(subject)

    def _trace(self, destination: Destination) -> Trace:
        entries: list[HistoryInfo] = []
        if self._cache is not None and len(self._cache) < _MOST_ENTRIES:
            uri = destination.uri
            if destination.aor:
                parent = self._index_of(destination.aor)
                entry = _entry(uri, self._next(parent), rc=parent)
            elif self._subject in self._indexes and self._is_for(self._subject, destination):
                parent = self._indexes[self._subject]
                kind = "np" if _is_same(uri, self._subject) else "rc"
                entry = _entry(uri, self._next(parent), **{kind: parent})
            else:
                index = self._indexes[uri] = self._next(self._root)
                entry = _entry(uri, index, mp=self._origin)
            entries = [*self._cache, entry]
        return Trace(destination.uri, entries, self._diverted if self._with_diversion else ())

    def on(self, request: Request, branch: Branch) -> Request:
        """A copy of the request as a branch sends it."""
        destination = branch.destination
        trace = branch.trace
        if trace is None or trace.uri != destination.uri:
            trace = branch.trace = self._trace(destination)
        request = request.copy()
        headers = request.headers
        if trace.entries:
            entries = sorted(trace.entries, key=lambda entry: entry.index)
            if not destination.aor:
                # It leaves for another domain, as far as anybody knows.
                entries = self._hidden(entries, is_hidden=self._has_privacy)
                if self._has_privacy:
                    _drop_history_privacy(request)
            _put(request, entries)
        for party, reason in reversed(trace.diverted):
            headers.prepend("Diversion", f"<{_written(party)}>;reason={reason};counter=1")
        return request

    # What comes back.

    def heard(self, branch: Branch, status: int, response: Response | None = None) -> None:
        """A branch has said something: its target is known to have got the request, and why it failed (§9.3, §10.2)."""
        if self._cache is None or branch.trace is None or not branch.trace.entries:
            return
        entry = branch.trace.entries[-1]
        if entry not in self._cache:
            self._cache.append(entry)
        if status >= 300:
            reasons = [f"SIP;cause={status}"]
            if response is not None:
                try:
                    reasons += response.headers.texts("Reason")
                except SipParseError:
                    # What it says of itself cannot be read: its status says enough.
                    reasons = reasons[:1]
            if entry.uri.scheme != "tel":
                text = SipUri("reasons", headers=[("Reason", reason) for reason in reasons]).headers_text
                # A URI that grew too long could not be read any more.
                if len(entry.uri_text) + len(text or "") < MAX_URI:
                    entry.uri = f"{entry.uri_text.partition('?')[0]}?{text}"

    def tell(self, response: Response) -> None:
        """Puts the targets into a response that goes to the caller, where he wants to know of them (§9.4)."""
        if self._cache is None or not self._tells:
            return
        headers = response.headers
        entries = list(self._cache)
        try:
            known = {entry.index for entry in entries}
            added = [entry for entry in headers.values("History-Info") if entry.index not in known]
            entries += added[: _MOST_ENTRIES - len(entries)]
            privacy = headers.value("Privacy") if "privacy" in headers.keys else ()
        except SipParseError:
            privacy = ()
        entries.sort(key=lambda entry: entry.index)
        _put(response, self._hidden(entries, is_hidden=self._has_privacy or "history" in privacy or "header" in privacy))

    def _hidden(self, entries: list[HistoryInfo], *, is_hidden: bool) -> list[HistoryInfo]:
        """The entries as another domain may see them: those of ours without name where that was asked for (§10.1.2)."""
        shown = []
        for entry in entries:
            uri = entry.uri
            if isinstance(uri, SipUri) and self._is_ours(uri.host) and (is_hidden or entry.is_private):
                entry = HistoryInfo(_HIDDEN, params=entry.params)
            shown.append(entry)
        return shown


def _entry(uri: str, index: Index, **origin: Index) -> HistoryInfo:
    """A new entry; `origin` names by which change (rc, mp or np) of which index it came about (§10.4)."""
    params: dict[str, str | None] = {"index": render_index(index)}
    params.update({name: render_index(value) for name, value in origin.items()})
    return HistoryInfo(request_uri(_written(uri)), params=params)


def _put(message: Request | Response, entries: list[HistoryInfo]) -> None:
    message.headers.remove("History-Info")
    for entry in entries:
        message.headers.append("History-Info", entry)


def _drop_history_privacy(request: Request) -> None:
    """What was asked for is done (§10.1.2)."""
    kept = [value for value in request.headers.value("Privacy").values if value != "history"]
    request.headers.remove("Privacy")
    if kept:
        request.headers.append("Privacy", ";".join(kept))


def _written(party: str) -> str:
    """A user of ours, whose address-of-record is kept free of escapes, as a URI; any other URI as it is."""
    try:
        parse_uri(party)
    except SipParseError:
        user, _, host = party.partition(":")[2].rpartition("@")
        return str(SipUri(host, user=user))
    return party


def _user_of(text: str) -> str | None:
    """The user or number that a URI names."""
    try:
        uri = parse_uri(text)
    except SipParseError:
        return None
    if isinstance(uri, TelUri):
        return uri.digits
    return uri.user if isinstance(uri, SipUri) else None


def _is_same(text: str, other: str) -> bool:
    """Whether two URIs are the same but for their header components."""
    try:
        one, two = parse_uri(request_uri(text)), parse_uri(request_uri(other))
    except SipParseError:
        return False
    return one.matches(two)
