"""The server's certificates over time: renewed without a restart, and the operator warned before one expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ringback.transport.tls import Contexts, TlsError

# Let's Encrypt has certificates renewed 30 days before they end: whoever comes this close was forgotten.
_WARNED_BEFORE = timedelta(days=14)
_DAY = 86_400.0


class Validity:
    """Watches over certificates from `watch` to `close`."""

    def __init__(self, tls: Contexts, report: Callable[[str], None]) -> None:
        self._tls = tls
        self._report = report
        self._alarm: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Warns of what expires soon, now and once a day."""
        for line in self._tls.expiring(datetime.now(UTC) + _WARNED_BEFORE):
            self._report(line)
        if self._tls.shown:
            self._alarm = asyncio.get_running_loop().call_later(_DAY, self.watch)

    def renew(self, tls: Contexts) -> str | None:
        """Reads what is shown and trusted from now on; gives the fault where that fails, and all before stays in force."""
        try:
            if self._tls.is_loaded:
                tls.load()
        except TlsError as error:
            self._report(f"{error} (the certificates before it stay in force)")
            return str(error)
        self._tls.become(tls)
        self.close()
        self.watch()
        return None

    def close(self) -> None:
        """Watches no more."""
        if self._alarm is not None:
            self._alarm.cancel()
