"""Media between others: a call's descriptions are passed on, and nothing of it comes here (RFC 3264)."""

from __future__ import annotations

from ringback.sdp.description import SessionDescription


class ForeignMedia:
    """The media of a call that a controller has with each of two parties, who talk with each other.

    As a media factory for whoever is asked to offer (`offers=False`), and with that offer for whoever is to answer it:
    `media=lambda host: ForeignMedia(host, offer)`. Its answer is `remote` then.
    """

    __slots__ = ("_described", "local", "remote")

    def __init__(self, host: str, description: SessionDescription | None = None) -> None:
        self._described = description or SessionDescription.new(host, session_id=0)
        self.local: SessionDescription | None = None
        """What was said here in the other party's name."""
        self.remote: SessionDescription | None = None
        """What this party has said."""

    def capabilities(self) -> SessionDescription:
        """What the other party has said; nothing as long as nobody has."""
        return self.local or self._described

    def agree(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Keeps both."""
        self.local = local
        self.remote = remote

    def close(self) -> None:
        """Has nothing to close."""
