"""What a call asks of its media, and a medium that is silent: it is described and agreed upon, and nothing is sent (RFC 3264)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from ringback.sdp.codec import PCMA, PCMU, TELEPHONE_EVENT
from ringback.sdp.description import SessionDescription
from ringback.sdp.media import MediaDescription
from ringback.sdp.origin import Origin


class Media(Protocol):
    """The media of one call. All methods return at once; octets flow elsewhere."""

    def capabilities(self) -> SessionDescription:
        """Everything we are able and willing to do in this session: what offers and answers are made from. It is copied, not changed."""

    def agree(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Both descriptions are in force from now on; in an early dialog the peer's may still change."""

    def close(self) -> None:
        """The session is over: nothing is sent or listened for any more (RFC 3261 §15)."""


MediaFactory = Callable[[str], Media]
"""Makes the media of one call, given the address of ours that the peer can reach."""

# RFC 863: what is sent there is thrown away. Nobody listens, so no port needs to be held.
_DISCARD = 9

# RFC 8866 §5.2 has "-" where a host knows no users, which some that read descriptions take for no name (sipp's own "regexp" scenario).
_USERNAME = "ringback"


@lru_cache(maxsize=64)
def _at(host: str) -> SessionDescription:
    """What silent media of a host can do."""
    audio = MediaDescription.audio(_DISCARD, codecs=[PCMU, PCMA, TELEPHONE_EVENT])
    return SessionDescription.new(host, session_id=0, media=[audio])


class SilentMedia:
    """An audio stream on paper: G.711 both ways and telephone events, agreed upon as any other, but nothing is sent or played."""

    __slots__ = ("_capabilities", "local", "remote")

    def __init__(self, host: str) -> None:
        self._capabilities = _at(host).copy()
        # RFC 8866 §5.2: numbers that nobody else has; 62 bits are what every peer can count.
        self._capabilities.origin = Origin.of(host, secrets.randbits(62), 1, _USERNAME)
        self.local: SessionDescription | None = None
        self.remote: SessionDescription | None = None

    def capabilities(self) -> SessionDescription:
        """One audio stream: PCMU, PCMA and telephone-event."""
        return self._capabilities

    def agree(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Remembers what was agreed upon."""
        self.local = local
        self.remote = remote

    def close(self) -> None:
        """Has nothing to close."""
