"""Two networks with a NAT between them, as Linux makes them: network namespaces, and nftables that masquerades."""

import itertools
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

OUTSIDE, NAT, INNER_GATEWAY, INSIDE = "192.0.2.1", "192.0.2.2", "10.0.0.1", "10.0.0.2"
FORGETS_AFTER = 2
"""Seconds of silence after which a UDP flow is forgotten."""

_numbers = itertools.count(1)
_RULES = (
    "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
    "add rule ip nat post ip saddr 10.0.0.0/24 masquerade random"
)


class NatBetween:
    """A host at `OUTSIDE` and one at `INSIDE`, which has the address `NAT` for the other. Skips the test where that is not permitted."""

    def __init__(self) -> None:
        number = f"{os.getpid()}-{next(_numbers)}"
        self._outside, self._nat, self._inside = (f"ringback-{side}-{number}" for side in ("out", "nat", "in"))

    def __enter__(self) -> Self:
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            said = getattr(error, "stderr", b"") or b""
            pytest.skip(f"no network namespaces here: {error} {said.decode(errors='replace').strip()}")
        return self

    def _make(self) -> None:
        for name in (self._outside, self._nat, self._inside):
            _run("ip", "netns", "add", name)
        self._join(self._outside, OUTSIDE, NAT)
        self._join(self._inside, INSIDE, INNER_GATEWAY)
        _run("ip", "-n", self._inside, "route", "add", "default", "via", INNER_GATEWAY)
        _run(*self._within(self._nat, "nft", _RULES))
        for name, value in (
            ("ipv4/ip_forward", 1),
            ("netfilter/nf_conntrack_udp_timeout", FORGETS_AFTER),
            ("netfilter/nf_conntrack_udp_timeout_stream", FORGETS_AFTER),
        ):
            _run(*self._within(self._nat, "sh", "-c", f"echo {value} > /proc/sys/net/{name}"))

    def _join(self, namespace: str, here: str, there: str) -> None:
        """A cable from a host to the NAT."""
        # Named alike in both: they are in different namespaces.
        name = f"c{next(_numbers)}"
        _run("ip", "link", "add", name, "netns", namespace, "type", "veth", "peer", "name", name, "netns", self._nat)
        for side, address in ((namespace, here), (self._nat, there)):
            _run("ip", "-n", side, "addr", "add", f"{address}/24", "dev", name)
            _run("ip", "-n", side, "link", "set", name, "up")
            _run("ip", "-n", side, "link", "set", "lo", "up")

    @staticmethod
    def _within(namespace: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", namespace, *command]

    def outside(self, command: list[str]) -> list[str]:
        """The command, to run on the host outside."""
        return self._within(self._outside, *command)

    def inside(self, command: list[str]) -> list[str]:
        """The command, to run on the host inside."""
        return self._within(self._inside, *command)

    def _remove(self) -> None:
        for name in (self._outside, self._nat, self._inside):
            if Path("/run/netns", name).exists():
                subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
