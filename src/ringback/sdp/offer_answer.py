"""Who may offer when, and what is in force: the offer/answer model of one dialog (RFC 3264 §4, §8; RFC 6141, RFC 6337).

The table below is all of it: an input that has no row in a state is a fault, ours (ValueError) or the peer's (SdpError), and changes
nothing.
"""

from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.fit import impropriety, misfit
from ringback.sdp.payload_types import PayloadTypes
from ringback.sdp.stream import Stream, streams_of
from ringback.sdp.succession import beginning_fault, succeeding, succession_fault

# States
STABLE = "Stable"
LOCAL_OFFER = "Local offer"
REMOTE_OFFER = "Remote offer"

# Inputs
OFFER = "offer sent"
RECEIVED_OFFER = "offer received"
ANSWER = "answer sent"
RECEIVED_ANSWER = "answer received"
ROLL_BACK = "offer refused"

TABLE = {
    (STABLE, OFFER): LOCAL_OFFER,
    (STABLE, RECEIVED_OFFER): REMOTE_OFFER,
    (LOCAL_OFFER, RECEIVED_ANSWER): STABLE,
    (LOCAL_OFFER, ROLL_BACK): STABLE,
    (REMOTE_OFFER, ANSWER): STABLE,
    (REMOTE_OFFER, ROLL_BACK): STABLE,
}


class OfferPending(SdpError):  # noqa: N818  # it says what is the case: an offer is pending
    """An offer of the peer's while another one is open. `status` is what refuses it: 491 where ours is open, 500 where theirs is
    (RFC 3261 §14.2, RFC 3311 §5.2)."""

    def __init__(self, status: int) -> None:
        super().__init__("an offer before the one before it was answered")
        self.status = status


class OfferAnswer:
    """The exchanges of offers and answers within one dialog. Descriptions given to it are no longer to be changed; take copies.

    `local` and `remote` are in force, ours and the peer's, None before the first answer. `pending` is the open offer. `sent` is the
    newest edition that we gave the peer, refused or not: the next one's o= line continues it.
    """

    __slots__ = ("state", "local", "remote", "pending", "sent", "payload_types")

    def __init__(self) -> None:
        self.state = STABLE
        self.local: SessionDescription | None = None
        self.remote: SessionDescription | None = None
        self.pending: SessionDescription | None = None
        self.sent: SessionDescription | None = None
        self.payload_types = PayloadTypes()

    @property
    def streams(self) -> list[Stream]:
        """What is agreed on per m= line that both sides keep; empty before the first answer."""
        return [] if self.local is None or self.remote is None else streams_of(self.local, self.remote)

    def next_edition(self, description: SessionDescription) -> SessionDescription:
        """`description` with the o= line under which it may go out next: that of what is in force if it says the same, else one version
        after the newest edition; as it is before anything was sent."""
        if self.sent is None:
            return description.copy()
        if self.local is not None and (again := succeeding(self.local, description)) == self.local:
            return again
        return succeeding(self.sent, description)

    def offer(self, description: SessionDescription) -> None:
        """Ours goes out. ValueError where an offer is open or this one may not follow what was sent before (§8)."""
        state = self._next(OFFER)
        fault = self._succession_fault(description)
        if fault is None and self.local is not None:
            if len(description.media) < len(self.local.media):
                fault = f"{len(description.media)} m= lines where the session has {len(self.local.media)}"
            else:
                fault = self.payload_types.fault(description)
        if fault is not None:
            raise ValueError(fault)
        self._send(description)
        self.state, self.pending = state, description

    def receive_answer(self, description: SessionDescription) -> None:
        """The peer's answer to our offer; both are in force. SdpError where it does not fit, or where there is nothing to answer."""
        state = self._next_of_peer(RECEIVED_ANSWER)
        assert self.pending is not None
        fault = misfit(self.pending, description)
        if fault is not None:
            raise SdpError(fault)
        self._agree(state, self.pending, description)

    def receive_offer(self, description: SessionDescription) -> None:
        """The peer's offer, to be answered or rolled back. OfferPending where an offer is open.

        The peer's o= line and number of m= lines are not held against it (RFC 6337 §5.2.5 leaves that open): a B2BUA may have put us
        through to another party.
        """
        state = self._next_of_peer(RECEIVED_OFFER)
        self.state, self.pending = state, description

    def answer(self, description: SessionDescription, *, is_made: bool = False) -> None:
        """Ours goes out as the answer; both are in force. ValueError where there is nothing to answer or it does not fit (§6).

        One that `is_made` by `make_answer` or `make_refusal` for the open offer and after `sent` fits and is not looked at.
        """
        state = self._next(ANSWER)
        assert self.pending is not None
        if not is_made:
            fault = misfit(self.pending, description) or impropriety(self.pending, description) or self._succession_fault(description)
            if fault is not None:
                raise ValueError(fault)
        self._send(description)
        self._agree(state, description, self.pending)

    def roll_back(self) -> None:
        """The open offer was refused: what was in force stays in force (§4, RFC 6141 §3.1). ValueError where none is open."""
        self.state, self.pending = self._next(ROLL_BACK), None

    def has_changed(self, description: SessionDescription) -> bool:
        """Whether a description received says anything else than the peer's in force: the version first (RFC 3261 §14.2), and the
        rest for peers who forget to count."""
        return self.remote is None or description.origin != self.remote.origin or description != self.remote

    def _agree(self, state: str, local: SessionDescription, remote: SessionDescription) -> None:
        self.payload_types.learn(local, remote)
        self.state, self.local, self.remote, self.pending = state, local, remote, None

    def _send(self, description: SessionDescription) -> None:
        # What is in force may go out again after a refused offer, whose version is used up nevertheless.
        if self.local is None or self.sent is None or description.origin.version >= self.sent.origin.version:
            self.sent = description

    def _succession_fault(self, description: SessionDescription) -> str | None:
        if self.local is None or self.sent is None:
            return beginning_fault(description)
        # What is in force may be said again under its own version, even after an offer that was refused.
        if description == self.local:
            return None
        return succession_fault(self.sent, description)

    def _next(self, step: str) -> str:
        state = TABLE.get((self.state, step))
        if state is None:
            raise ValueError(f"no {step} in state {self.state!r}")
        return state

    def _next_of_peer(self, step: str) -> str:
        state = TABLE.get((self.state, step))
        if state is None:
            if step == RECEIVED_OFFER:
                raise OfferPending(491 if self.state == LOCAL_OFFER else 500)
            raise SdpError("an answer without an offer")
        return state
