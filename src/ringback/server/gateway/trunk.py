"""One trunk of a gateway: where it is, and whether it is worth asking now."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import log

from ringback.message.errors import SipParseError
from ringback.message.message import Response
from ringback.message.uri import SipUri
from ringback.server.config.gateway import GatewayConfig, TrunkConfig

# However long a server asks to be left alone: an hour without a trunk is long.
_MOST_RETRY_AFTER = 3600.0


class Trunk:
    """What is known of one trunk.

    It is left out for a while after a request found nobody there, and until a probe is answered after several were not.
    """

    def __init__(self, name: str, config: TrunkConfig, gateway: GatewayConfig, report: Callable[[str], None]) -> None:
        """`name` is its gateway's; `report` gets a line when it is left out and when it is back."""
        self.uri = SipUri.parse(config.uri)
        self.weight = config.weight
        self.priority = config.priority
        self._name = name
        self._gateway = gateway
        self._report = report
        self._rests_until = float("-inf")
        self._has_asked_for_rest = False
        self._missed = 0

    def is_up(self, now: float) -> bool:
        """Whether requests are sent there."""
        return self.is_alive and now >= self._rests_until

    @property
    def is_alive(self) -> bool:
        """Whether its probes are answered, as far as is known."""
        return self._missed < self._gateway.probe_failures

    def back_in(self, now: float) -> float:
        """In how many seconds it may be asked again."""
        return max(self._rests_until - now, 0.0 if self.is_alive else self._gateway.probe_seconds)

    def target(self, user: str | None, *, is_number: bool) -> str:
        """The Request-URI of a request for a user; `is_number` says that a tel URI had it."""
        uri = self.uri.copy()
        uri.user = user
        if is_number:
            uri.params["user"] = "phone"
        return str(uri)

    def rank(self, key: str) -> tuple[int, float]:
        """Its place among the trunks for one call, the lowest first: by priority, then by chance as its weight says.

        The same key gives the same chance, so that whoever keeps no state finds the same trunk again.
        """
        digest = blake2b(f"{self.uri}\n{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
        # An exponential variate of the rate `weight`: the least of several is each one's as often as its weight says.
        return self.priority, -log((int.from_bytes(digest, "big") + 1) / (2**64 + 1)) / self.weight

    def ended(self, response: Response, is_first_word: bool, now: float) -> None:
        """Takes the final response to a request that was sent there, one made up where none came included."""
        status = response.status
        is_silent = status == 408 and is_first_word
        if not is_silent and status != 503 and status not in self._gateway.cools_down_on:
            return
        seconds = None if is_silent else _retry_after(response)
        was_up = self.is_up(now)
        self._has_asked_for_rest = seconds is not None
        self._rests_until = now + (self._gateway.cool_down_seconds if seconds is None else min(seconds, _MOST_RETRY_AFTER))
        if was_up:
            reason = "does not answer" if is_silent else f"failed ({status} {response.reason})"
            self._report(f"gateway {self._name}: {self.uri} {reason}: left out for {self._rests_until - now:g} s")

    def probed(self, *, is_answered: bool, now: float) -> None:
        """Takes how a probe went."""
        was_up = self.is_up(now)
        self._missed = 0 if is_answered else self._missed + 1
        if is_answered and not self._has_asked_for_rest:
            self._rests_until = float("-inf")
        if was_up and not self.is_up(now):
            self._report(f"gateway {self._name}: {self.uri} has not answered {self._missed} OPTIONS: left out until it does")
        elif self.is_up(now) and not was_up:
            self._report(f"gateway {self._name}: {self.uri} answers again")

    def inherit(self, other: Trunk) -> None:
        """Goes on from what was known of the same trunk under another configuration."""
        self._rests_until = other._rests_until
        self._has_asked_for_rest = other._has_asked_for_rest
        self._missed = other._missed

    def __repr__(self) -> str:
        return f"<Trunk {self._name} {self.uri}>"


def _retry_after(response: Response) -> float | None:
    try:
        value = response.headers.value("Retry-After")
    except SipParseError:
        return None
    return None if value is None else float(value.seconds)
