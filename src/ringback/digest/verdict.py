"""What a server makes of a request's credentials (RFC 3261 §22.1, RFC 7616 §3.6)."""

from enum import Enum, auto

from ringback.message.fields.credentials import Credentials


class Outcome(Enum):
    """What became of the credentials."""

    ACCEPTED = auto()
    """They prove the user, and were used for the first time."""
    STALE = auto()
    """The password is right, the nonce too old or its count used before: to be challenged again with `stale=true`."""
    REFUSED = auto()
    """Wrong, malformed, or not what was asked for."""
    MISSING = auto()
    """There are none for this realm."""


class Verdict:
    """An outcome; `user` is who has proven themselves, None unless ACCEPTED, and `reason` says for a log why it is as it is."""

    __slots__ = ("_key", "credentials", "outcome", "reason", "user")

    def __init__(
        self, outcome: Outcome, reason: str = "", credentials: Credentials | None = None, user: str | None = None, key: str = ""
    ) -> None:
        """`key` is H(A1), for the proof in Authentication-Info."""
        self.outcome = outcome
        self.reason = reason
        self.credentials = credentials
        self.user = user
        self._key = key

    @property
    def is_accepted(self) -> bool:
        """Whether the request may be acted on as the user's."""
        return self.outcome is Outcome.ACCEPTED

    @property
    def is_stale(self) -> bool:
        """Whether the next challenge is to say so."""
        return self.outcome is Outcome.STALE

    @property
    def key(self) -> str:
        """H(A1) of accepted credentials: a secret."""
        return self._key

    def __repr__(self) -> str:
        return f"<Verdict {self.outcome.name} user={self.user!r} {self.reason}>"
