"""What the DNS says, as far as it says where SIP servers are: NAPTR, SRV, addresses (RFC 3403 §4, RFC 2782); and who is asked for it."""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403 §4.1); `replacement` is empty where the record has none."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782); `target` is empty where the service is decidedly not available."""

    priority: int
    weight: int
    port: int
    target: str


R = TypeVar("R")


class Answer(NamedTuple, Generic[R]):
    """The records found, none where there are none, and for how many seconds that holds; None where the answer does not say.

    `is_local`: it is this machine's own word, /etc/hosts or what `localhost` means, and not the DNS's.
    """

    records: tuple[R, ...]
    ttl: float | None = None
    is_local: bool = False


class UnansweredError(Exception):
    """Nobody could say whether there are such records; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Questions(Protocol):
    """Who answers: name servers, or a test. Each question raises `UnansweredError` where no answer can be had."""

    async def naptr(self, name: str) -> Answer[Naptr]:
        """The NAPTR records of a name."""

    async def srv(self, name: str) -> Answer[Srv]:
        """The SRV records of a name."""

    async def addresses(self, name: str, families: frozenset[int]) -> Answer[str]:
        """The numeric addresses of a host, of IP version 4, 6 or both; files of the system such as /etc/hosts count too."""

    def close(self) -> None:
        """Gives up what is asked and not answered: that is unanswered then."""
