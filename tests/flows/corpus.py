"""The call flows of RFC 3665, RFC 5359 and RFC 5589, message by message, and whose hosts their names are."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram

FOLDER = Path(__file__).resolve().parent / "corpus"

_RFC3665 = {
    "client.atlanta.example.com": "Alice",
    "192.0.2.101": "Alice",
    "client.biloxi.example.com": "Bob",
    "192.0.2.201": "Bob",
    "client.chicago.example.com": "Bob@chicago",
    "192.0.2.100": "Bob@chicago",
    "ss1.atlanta.example.com": "Proxy 1",
    "192.0.2.111": "Proxy 1",
    "ss2.biloxi.example.com": "Proxy 2",
    "192.0.2.222": "Proxy 2",
    "ss3.chicago.example.com": "Proxy 3",
    "192.0.2.233": "Proxy 3",
    "alg1.atlanta.example.com": "SIP ALG",
    "192.0.2.128": "SIP ALG",
}
_RFC5359 = {
    "client.atlanta.example.com": "Alice",
    "192.0.2.103": "Alice",
    "a8342043f@atlanta.example.com": "Alice",
    "client.biloxi.example.com": "Bob",
    "192.0.2.105": "Bob",
    "client.chicago.example.com": "Carol",
    "192.0.2.114": "Carol",
    "39itp34klkd@chicago.example.com": "Carol",
    "client2.biloxi.example.com": "Bill",
    "192.0.2.113": "Bill",
    "pc.biloxi.example.com": "PC",
    "192.0.2.123": "PC",
    "ss1.example.com": "Proxy 1",
    "192.0.2.54": "Proxy 1",
    "server.example.com": "Park Server",
    "announcement.example.com": "Announcement Server",
    "gatewayone.example.com": "Gateway",
    "gw1.example.com": "Gateway",
}
HOSTS: Mapping[str, Mapping[str, str]] = {"rfc3665": _RFC3665, "rfc5359": _RFC5359, "rfc5589": {}}
"""Whose host a name, an address or a `user@host` is, by RFC; `NAME@PLACE` where one has several."""

_REGISTRATION = {"ss2.biloxi.example.com": "SIP Server"}
_FORWARDING = {
    "ss1.example.com": "Proxy",
    "192.0.2.54": "Proxy",
    "client.biloxi.example.com": "B1",
    "client2.biloxi.example.com": "B2",
    "client3.biloxi.example.com": "B3",
    "client4.biloxi.example.com": "B4",
}
# What a flow calls otherwise than the rest of its RFC does.
_OF_ONE_FLOW: Mapping[tuple[str, str], Mapping[str, str]] = {
    **{("rfc3665", section): _REGISTRATION for section in ("2.1", "2.2", "2.3", "2.4", "2.5")},
    ("rfc5359", "2.3"): {"server.example.com": "Music Server"},
    **{("rfc5359", section): _FORWARDING for section in ("2.7", "2.8", "2.9", "2.12")},
    **{("rfc5359", section): {"b54gh42f5@biloxi.example.com": "Bob"} for section in ("2.10", "2.11")},
    ("rfc5359", "2.13"): {"ms.biloxi.example.com": "Announcement Server", "announce.biloxi.example.com": "Announcement Server"},
    ("rfc5359", "2.16"): {"pc.biloxi.example.com": "Bill", "192.0.2.114": "Bill"},
}


class Step(NamedTuple):
    """One message on its way from one element to another."""

    label: str
    """Its number in the RFC, `F7`, or for what was heard on the wire its place, `#7`."""
    sender: str
    receiver: str
    message: Request | Response
    octets: bytes

    @property
    def kind(self) -> str:
        """`INVITE`, or `200 INVITE`."""
        message = self.message
        return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"

    def __str__(self) -> str:
        return f"{self.sender} → {self.receiver}: {self.kind}"


class CorpusFlow(NamedTuple):
    """One flow of one RFC."""

    rfc: str
    section: str
    steps: tuple[Step, ...]
    quirks: Mapping[str, str]
    """The RFC's slips that were left in the messages, by label."""
    hosts: Mapping[str, str]
    """Whose host each name and address is."""

    def __getitem__(self, label: str) -> Step:
        for step in self.steps:
            if step.label == label:
                return step
        raise KeyError(f"{self.rfc} §{self.section} has no {label}")

    def __str__(self) -> str:
        return f"{self.rfc.upper().replace('RFC', 'RFC ')} §{self.section}"


def flow(rfc: str, section: str, **elements: str) -> CorpusFlow:
    """One flow: `flow("rfc3665", "3.2")`. `elements` names further hosts, or others: `**{"ss9.example.com": "Proxy 9"}`."""
    folder = FOLDER / rfc
    octets = memoryview((folder / f"{section}.sip").read_bytes())
    steps: list[Step] = []
    quirks: dict[str, str] = {}
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["flow"] != section:
                continue
            one, octets = bytes(octets[: int(row["octets"])]), octets[int(row["octets"]) :]
            message = parse_datagram(one)
            assert isinstance(message, Request | Response), f"{rfc} §{section} {row['message']} does not parse: {message}"
            steps.append(Step(row["message"], row["sender"], row["receiver"], message, one))
            if row["quirks"] != "-":
                quirks[row["message"]] = row["quirks"]
    if not steps or octets:
        raise ValueError(f"the manifest of {rfc} does not fit the octets of §{section}")
    hosts = {**HOSTS[rfc], **_OF_ONE_FLOW.get((rfc, section), {}), **elements}
    return CorpusFlow(rfc, section, tuple(steps), quirks, hosts)


def sections(rfc: str) -> list[str]:
    """The sections of an RFC that have a flow, in their order."""
    with (FOLDER / rfc / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(dict.fromkeys([row["flow"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]))
