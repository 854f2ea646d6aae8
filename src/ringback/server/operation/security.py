"""Who was refused for what he is not, as Asterisk's security log has it: fail2ban's filter `asterisk` reads it unchanged.

Silent unless `[log] security` names a file. What peers said is escaped, so that nobody can write lines of others, and nobody fills the
log: each source gets so many lines a second, all together so many more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from ringback.address import Flow
from ringback.message.message import Request
from ringback.server.operation.logs import SECURITY
from ringback.trace.printable import printable

# A choice: fail2ban bans after five lines, so nobody needs to be noted more often.
MOST_OF_ONE_SOURCE = 10
MOST_A_SECOND = 500

logger = logging.getLogger(SECURITY)


class SecurityLog:
    """Notes events; `wall` gives seconds since 1970."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._second = 0
        self._noted: dict[str, int] = {}
        self._passed = 0

    def note(self, event: str, request: Request, flow: Flow, *, account: str = "", reason: str = "") -> None:
        """`event` in Asterisk's words; `account` is who the peer said to be. Costs next to nothing where nobody reads it."""
        if not logger.isEnabledFor(logging.INFO):
            return
        now = self._wall()
        if not self._may_pass(flow.host, int(now)):
            return
        fields = {
            "SecurityEvent": event,
            "EventTV": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "Severity": "Error",
            "Service": "SIP",
            "EventVersion": "1",
            "AccountID": account,
            "SessionID": request.headers.text("Call-ID") or "",
            "LocalAddress": _place(flow, flow.endpoint.host, flow.endpoint.port),
            "RemoteAddress": _place(flow, flow.host, flow.port),
            "Method": request.method,
            "Reason": reason,
        }
        # A quotation mark would end a value.
        logger.info("%s", ",".join([f'{name}="{printable(text).replace(chr(34), "%22")}"' for name, text in fields.items()]))

    def _may_pass(self, host: str, second: int) -> bool:
        if second != self._second:
            self._second = second
            self._noted.clear()
            self._passed = 0
        count = self._noted.get(host, 0)
        if count >= MOST_OF_ONE_SOURCE or self._passed >= MOST_A_SECOND:
            return False
        self._noted[host] = count + 1
        self._passed += 1
        return True


def _place(flow: Flow, host: str, port: int) -> str:
    host = host.partition("%")[0]
    return f"IPV{6 if ':' in host else 4}/{flow.endpoint.transport}/{host}/{port}"
