"""One binding of an address-of-record to a contact (RFC 3261 §10), and the form of an address-of-record that indexes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.message.grammar import split_list

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

    __slots__ = (
        "aor", "call_id", "contact", "cseq", "era", "expires", "expires_at", "flow", "instance",
        "is_sip", "params", "path", "q", "reg_id", "row", "source",
    )  # fmt: skip

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
        flow: str = "",
        instance: str = "",
        reg_id: int = 0,
        era: int = 0,
    ) -> None:
        """`row` is the one it has in the store, the old one's where it refreshes one; `contact` the URI as registered; `params` the
        Contact's own parameters as registered, each with its `;`, without expires; `expires_at` in seconds of the monotonic clock;
        `expires` the interval granted in seconds; `path` the Path values, separated by commas (RFC 3327); `source` the address the REGISTER
        came from; `flow` the text that names the flow it came over, "" where the contact is reached at its URI; `instance` the URN of the
        user agent and `reg_id` the number of its flow (RFC 5626), "" and 0 where it said none; `era` the number that all temporary GRUUs
        hold which are good for that user agent now (RFC 5627).
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
        self.flow = flow
        self.instance = instance
        self.reg_id = reg_id
        self.era = era

    @property
    def route(self) -> tuple[str, ...]:
        """The Path values, the first to visit first: what a request to the contact has in Route (RFC 3327 §5.4)."""
        return tuple(split_list(self.path)) if self.path else ()

    def in_era(self, era: int) -> Binding:
        """The same, but that other temporary GRUUs are good for it."""
        return Binding(
            self.row, self.aor, self.contact, self.params, self.q, self.expires_at, self.expires, self.call_id, self.cseq,
            self.path, self.source, self.flow, self.instance, self.reg_id, era,
        )  # fmt: skip

    @property
    def refreshed_at(self) -> float:
        """When it was last registered, by the clock of `expires_at`."""
        return self.expires_at - self.expires

    def __repr__(self) -> str:
        return f"<Binding {self.aor} → {self.contact} q={self.q:g}>"
