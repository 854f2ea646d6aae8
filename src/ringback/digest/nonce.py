"""The server's nonces: self-contained until they are used, each count good once (RFC 7616 §3.3, §5.4, §5.5, RFC 3261 §22.4)."""

import binascii
import hmac
from struct import pack, unpack

_MAC = 16
_LENGTH = 32
_MASK = 0xFFFFFFFF
# The most a nonce count can say in its eight digits.
_ALL = _MASK

# Seconds a nonce is good for. Kamailio's nonce_expire is 300, too.
LIFETIME = 300.0
# Used nonces that are remembered. A choice: about 10 MB.
MOST_NONCES = 100_000


class Nonces:
    """Makes nonces and sees to it that each of their counts is used once, and higher than the last.

    A nonce is its second, a running number and a keyed digest over both and the realm: only one that was used costs memory. The digest's
    key is made of `key` and of `run`, so that none of an earlier or another process is ever good. `now` may come from any clock that does
    not go back while the process runs.
    """

    __slots__ = ("_closed", "_count", "_earlier", "_key", "_most", "_not_after", "_since", "_used", "lifetime")

    def __init__(self, key: bytes, run: bytes, lifetime: float = LIFETIME, most: int = MOST_NONCES) -> None:
        """`key` is secret and `run` random, anew in each process, 16 octets at least; `lifetime` in seconds.

        At most `most` used nonces are remembered; where more are used within a lifetime, the oldest become stale before their time.
        """
        if len(key) < 16 or len(run) < 16:
            raise ValueError("key and run have 16 octets at least")
        if not 1 <= lifetime < _MASK or most < 2:
            raise ValueError("a nonce lives a second at least, and two are remembered at least")
        self.lifetime = lifetime
        self._key = hmac.digest(key, b"nonce" + run, "sha256")
        self._count = 0
        self._most = most // 2
        # The highest count of each used nonce, in two halves: the earlier is forgotten when all in it have expired.
        self._used: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        self._since = float("-inf")
        self._closed = self._not_after = -1

    def make(self, realm: str, now: float) -> str:
        """A new nonce: 32 characters that need no escape in a quoted string."""
        self._count = (self._count + 1) & _MASK
        head = pack(">II", int(now) & _MASK, self._count)
        return binascii.b2a_base64(head + self._digest(head, realm), newline=False).decode("ascii")

    def identify(self, nonce: str, realm: str) -> int | None:
        """The number of a nonce that this process made for a realm; None for any other text."""
        if len(nonce) != _LENGTH:
            return None
        try:
            octets = binascii.a2b_base64(nonce, strict_mode=True)
        except ValueError:
            return None
        head = octets[:8]
        if not hmac.compare_digest(self._digest(head, realm), octets[8:]):
            return None
        number: int = unpack(">Q", head)[0]
        return number

    def is_fresh(self, number: int, now: float) -> bool:
        """Whether a nonce is still good, as far as its age goes."""
        second = number >> 32
        return 0 <= int(now) - second <= self.lifetime and second > self._not_after

    def is_aging(self, number: int, now: float) -> bool:
        """Whether a nonce has lived more than half of its time, so that its user had better have the next."""
        return int(now) - (number >> 32) > self.lifetime / 2

    def spend(self, number: int, count: int | None, now: float) -> bool:
        """Uses a count of a fresh nonce; False where that count or a higher one was used before.

        None is a client of RFC 2069, which does not count: its nonce is good once.
        """
        used = self._used.get(number)
        if used is None:
            used = self._earlier.get(number, 0)
        if count is None:
            if used:
                return False
            count = _ALL
        elif count <= used:
            return False
        # One second more, because a nonce knows its time in whole seconds.
        has_expired = now - self._since > self.lifetime + 1
        if has_expired or len(self._used) >= self._most:
            if not has_expired:
                # What is forgotten too early must not become good again, so nothing is that is as old.
                self._not_after = self._closed
            self._closed, self._since = int(now), now
            self._earlier, self._used = self._used, {}
        self._used[number] = count
        return True

    def _digest(self, head: bytes, realm: str) -> bytes:
        return hmac.digest(self._key, head + realm.encode("utf-8", "surrogateescape"), "sha256")[:_MAC]

    def __repr__(self) -> str:
        return f"<Nonces {len(self._used) + len(self._earlier)} in use>"
