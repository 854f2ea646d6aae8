"""One binding of an address-of-record to a contact (RFC 3261 §10), and the form of an address-of-record that indexes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.message.uri import SipUri


def aor_of(uri: SipUri) -> str:
    """The canonical address-of-record `sip:user@host` (§10.3 step 5): no parameters, no password, escapes undone.

    A `sips:` URI gives the same as its `sip:` twin, because both name the same resource (§19.1).
    """
    # Departs from RFC 3261 §10.3: the port goes too, since a domain's users are the same whichever of its ports a phone was told.
    user = uri.user
    return f"sip:{uri.host}" if user is None else f"sip:{user}@{uri.host}"


class Binding:
    """A contact under which an address-of-record is reached until `expires_at`. Never changed once made: a refresh is a new one."""

    __slots__ = ("aor", "call_id", "contact", "cseq", "expires", "expires_at", "is_sip", "params", "path", "q", "row", "source")

    def __init__(
        self,
        row: int,
        aor: str,
        contact: str,
        params: str,
        q: float,
        expires_at: float,
        expires: int,
        call_id: str,
        cseq: int,
        path: str = "",
        source: str = "",
    ) -> None:
        """`row` is the one it has in the store, the old one's where it refreshes one; `contact` the URI as registered; `params` the
        Contact's own parameters as registered, each with its `;`, without expires; `expires_at` in seconds of the monotonic clock;
        `expires` the interval granted in seconds; `path` for RFC 3327; `source` the address the REGISTER came from.
        """
        self.row = row
        self.aor = aor
        self.contact = contact
        self.is_sip = contact[:4].lower() in ("sip:", "sips")
        self.params = params
        self.q = q
        self.expires_at = expires_at
        self.expires = expires
        self.call_id = call_id
        self.cseq = cseq
        self.path = path
        self.source = source

    def __repr__(self) -> str:
        return f"<Binding {self.aor} → {self.contact} q={self.q:g}>"
