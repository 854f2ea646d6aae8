"""The torture messages: octets of RFC 4475, of RFC 5118 and of faults that other SIP programs died of, each with its verdict."""

import csv
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent


class Case(NamedTuple):
    """One row of a manifest."""

    file: str
    section: str
    verdict: str
    """What the RFC asks for: `accept`, `reject`, `either`, or `discard` without an answer."""
    codes: str
    """The answers it names, `role:code` where that depends, `-` where it names none."""
    read_as: str
    """What a datagram of these octets is to the parser: Request, Response or Malformed."""
    answer: str
    """The server's answer over UDP when nobody is registered; `-` for none."""
    stream: str
    """Its answers over TCP, and whether the connection is open or closed then."""
    what: str
    folder: Path

    @property
    def octets(self) -> bytes:
        """The message as it is on the wire."""
        return (self.folder / self.file).read_bytes()

    @property
    def answers(self) -> list[int]:
        """`answer` as a list of at most one status."""
        return [] if self.answer == "-" else [int(self.answer)]

    @property
    def stream_outcome(self) -> tuple[list[int], str]:
        """`stream` as the statuses and the connection's state."""
        *statuses, state = self.stream.split(" ")
        return [int(status) for status in statuses], state


def cases(name: str) -> list[Case]:
    """The rows of one folder's manifest."""
    folder = FOLDER / name
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return [Case(**row, folder=folder) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


RFC4475 = cases("rfc4475")
RFC5118 = cases("rfc5118")
CVE = cases("cve")
ALL = [*RFC4475, *RFC5118, *CVE]


def octets(file: str) -> bytes:
    """The message of RFC 4475, or else of RFC 5118, by its name without `.dat`."""
    for folder in ("rfc4475", "rfc5118"):
        path = FOLDER / folder / f"{file}.dat"
        if path.is_file():
            return path.read_bytes()
    raise KeyError(file)
