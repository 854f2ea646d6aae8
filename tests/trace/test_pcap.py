"""A trace as pcap, read back by a small reader of our own and by tshark."""

import shutil
import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from ringback.address import Endpoint, Flow
from ringback.trace import pcap
from ringback.trace.entry import Entry
from ringback.trace.pcap import Pcap
from tests.trace.passed import BOB, INVITE, RINGING, TCP, TIME, entry, octets


class Packet(NamedTuple):
    time: float
    protocol: int
    source: str
    destination: str
    sequence: int
    acknowledged: int
    octets: bytes


def checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def packets(file: Path) -> list[Packet]:
    """What the file holds; every length and every checksum is verified."""
    data = file.read_bytes()
    magic, major, minor, zone, accuracy, longest, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, major, minor, zone, accuracy, link) == (0xA1B2C3D4, 2, 4, 0, 0, 101)
    found = []
    at = 24
    while at < len(data):
        seconds, microseconds, captured, whole = struct.unpack_from("<IIII", data, at)
        assert captured == whole <= longest
        assert microseconds < 1_000_000
        found.append(read_packet(seconds + microseconds / 1e6, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    assert at == len(data)
    return found


def read_packet(time: float, packet: bytes) -> Packet:
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0xFFFF
        assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
        protocol, addresses, payload = packet[9], packet[12:20], packet[20:]
    else:
        assert packet[0] >> 4 == 6
        assert struct.unpack_from("!H", packet, 4)[0] == len(packet) - 40
        protocol, addresses, payload = packet[6], packet[8:40], packet[40:]
    assert checksum(addresses + struct.pack("!II", len(payload), protocol) + payload) == 0xFFFF
    half = len(addresses) // 2
    ports = struct.unpack_from("!HH", payload)
    source, destination = (f"{ip_address(part)} {port}" for part, port in zip((addresses[:half], addresses[half:]), ports, strict=True))
    if protocol == 17:
        assert struct.unpack_from("!H", payload, 4)[0] == len(payload)
        return Packet(time, 17, source, destination, 0, 0, payload[8:])
    sequence, acknowledged = struct.unpack_from("!II", payload, 4)
    return Packet(time, protocol, source, destination, sequence, acknowledged, payload[20:])


def written(tmp_path: Path, *entries: Entry) -> list[Packet]:
    file = tmp_path / "calls.pcap"
    sink = Pcap(file)
    for one in entries:
        sink.write(one)
    sink.close()
    assert sink.name == str(file)
    return packets(file)


def test_datagrams(tmp_path: Path) -> None:
    request, ringing = written(tmp_path, entry(INVITE), entry(RINGING, BOB, "out", time=TIME + 1.5))
    assert request == (TIME, 17, "127.0.0.1 5071", "127.0.0.1 5060", 0, 0, INVITE)
    assert ringing == (TIME + 1.5, 17, "127.0.0.1 5060", "127.0.0.1 5072", 0, 0, RINGING)


def test_ipv6(tmp_path: Path) -> None:
    flow = Flow(Endpoint("UDP", "::1", 5060), ("::1", 5071, 0, 0))
    assert written(tmp_path, entry(INVITE, flow))[0][2:4] == ("::1 5071", "::1 5060")


def test_a_connection_counts_its_octets_both_ways(tmp_path: Path) -> None:
    flow, other = Flow(TCP, ("127.0.0.1", 40000), 1), Flow(TCP, ("127.0.0.1", 40001), 2)
    found = written(tmp_path, entry(INVITE, flow), entry(RINGING, flow, "out"), entry(INVITE, flow), entry(INVITE, other))
    size = len(INVITE)
    assert [(p.protocol, p.sequence, p.acknowledged) for p in found] == [
        (6, 1, 1),
        (6, 1, 1 + size),
        (6, 1 + size, 1 + len(RINGING)),
        (6, 1, 1),
    ]


def test_a_large_message_is_several_segments(tmp_path: Path) -> None:
    message = octets("MESSAGE sip:b@a.test SIP/2.0", body=b"x" * 100_000)
    found = written(tmp_path, entry(message, Flow(TCP, ("127.0.0.1", 40000), 1)))
    assert b"".join(p.octets for p in found) == message
    assert [p.sequence for p in found] == [1, 32769, 65537, 98305]
    assert len(written(tmp_path, entry(b"", Flow(TCP, ("127.0.0.1", 40000), 1)))) == 1


def test_what_no_datagram_holds_is_cut(tmp_path: Path) -> None:
    assert len(written(tmp_path, entry(b"x" * 70_000))[0].octets) == 65_487
    assert written(tmp_path, entry(b""))[0].octets == b""


@pytest.mark.parametrize(
    ("endpoint", "remote", "ours"),
    [
        (Endpoint("UDP", "0.0.0.0", 5060), "127.0.0.1", "127.0.0.1 5060"),
        (Endpoint("UDP", "0.0.0.0", 5060), "192.0.2.9", "0.0.0.0 5060"),
        (Endpoint("UDP", "0.0.0.0", 5060, "192.0.2.1"), "192.0.2.9", "192.0.2.1 5060"),
        (Endpoint("UDP", "0.0.0.0", 5060, "sip.example.test"), "192.0.2.9", "0.0.0.0 5060"),
        (Endpoint("UDP", "::", 5060, "192.0.2.1"), "2001:db8::9", ":: 5060"),
        (Endpoint("UDP", "::", 5060), "fe80::1%eth0", ":: 5060"),
        (Endpoint("UDP", "::1", 5060), "192.0.2.9", "0.0.0.0 5060"),
        (Endpoint("UDP", "proxy", 5060), "alice", "0.0.0.0 5060"),
    ],
)
def test_our_own_address_as_far_as_it_is_known(tmp_path: Path, endpoint: Endpoint, remote: str, ours: str) -> None:
    assert written(tmp_path, entry(INVITE, Flow(endpoint, (remote, 5071))))[0].destination == ours


def test_connections_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcap, "_CONNECTIONS", 2)
    flows = [Flow(TCP, ("127.0.0.1", port), 1) for port in (1, 2, 3, 1, 3)]
    found = written(tmp_path, *[entry(b"abc", flow) for flow in flows])
    assert [p.sequence for p in found] == [1, 1, 1, 1, 4]


def test_an_old_capture_stays_until_a_message_takes_its_place(tmp_path: Path) -> None:
    written(tmp_path, entry(INVITE), entry(RINGING))
    assert len(written(tmp_path)) == 2
    assert len(written(tmp_path, entry(INVITE))) == 1


def test_a_capture_in_which_nothing_passed(tmp_path: Path) -> None:
    assert written(tmp_path) == []


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_sip_on_any_port(tmp_path: Path) -> None:
    large = octets("MESSAGE sip:b@a.test SIP/2.0", body=b"x" * 40_000, cseq="9 MESSAGE")
    odd = Endpoint("UDP", "::1", 45060)
    connection = Flow(Endpoint("TCP", "127.0.0.1", 45061), ("127.0.0.1", 40000), 1)
    written(
        tmp_path,
        entry(INVITE),
        entry(RINGING, BOB, "out"),
        entry(RINGING, Flow(odd, ("::1", 45062, 0, 0))),
        entry(INVITE, connection),
        entry(RINGING, connection, "out"),
        entry(large, connection),
    )
    fields = [part for name in ("sip.Method", "sip.Status-Code", "sip.Call-ID") for part in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-n", "-r", tmp_path / "calls.pcap", "-Y", "sip", "-T", "fields", *fields],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    rows = [line.split("\t")[:2] for line in done.stdout.split("\n")[:-1]]
    assert rows == [["INVITE", ""], ["", "180"], ["", "180"], ["INVITE", ""], ["", "180"], ["MESSAGE", ""]]
    checked = [part for layer in ("ip", "udp", "tcp") for part in ("-o", f"{layer}.check_checksum:TRUE")]
    wrong = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0"
    faults = subprocess.run(
        ["tshark", "-n", *checked, "-r", tmp_path / "calls.pcap", "-Y", wrong], capture_output=True, text=True, timeout=60, check=True
    )
    assert faults.stdout == ""
