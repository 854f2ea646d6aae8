"""A trace as a classic pcap file: what Wireshark, tshark and sngrep open.

The octets are those that passed; the IP, UDP and TCP headers around them are made up from the addresses, so that TLS and WebSocket will be
readable too. Link type RAW (101): a packet begins with its IP header.
"""

from __future__ import annotations

import ipaddress
import struct
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ringback.trace.entry import Entry

MAGIC = 0xA1B2C3D4
"""Microsecond timestamps, in the writer's byte order: ours is little-endian."""
LINKTYPE_RAW = 101
_SNAPLEN = 262_144
_UDP, _TCP = 17, 6
_LARGEST_UDP = 65_507 - 20  # also fits behind an IPv6 header
_LARGEST_SEGMENT = 32_768
_CONNECTIONS = 65_536

Place = tuple[IPv4Address | IPv6Address, int]


class Pcap:
    """Writes a file anew, from its first message on; each packet is written at once and whole. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        # What stood in the file stays until there is something to put in its place: a server that cannot start destroys no capture.
        self._file = path.open("ab", buffering=0)
        self._has_begun = False
        self._next_octet: dict[tuple[Place, Place], int] = {}
        self._count = 0

    def write(self, entry: Entry) -> None:
        """Appends a message: one datagram, or as many TCP segments as it takes."""
        if not self._has_begun:
            self._begin()
        flow = entry.flow
        peer = _address(flow.host), flow.port
        ours = _local_address(entry, peer[0]), flow.endpoint.port
        source, destination = (peer, ours) if entry.direction == "in" else (ours, peer)
        seconds, microseconds = divmod(round(entry.time * 1_000_000), 1_000_000)
        for packet in self._packets(source, destination, flow.endpoint.is_reliable, entry.octets):
            self._file.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, microseconds, len(packet), len(packet)) + packet)

    def _begin(self) -> None:
        self._has_begun = True
        self._file.truncate(0)
        self._file.write(struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, _SNAPLEN, LINKTYPE_RAW))

    def _packets(self, source: Place, destination: Place, is_reliable: bool, octets: bytes) -> list[bytes]:
        if not is_reliable:
            octets = octets[:_LARGEST_UDP]
            header = struct.pack("!HHHH", source[1], destination[1], 8 + len(octets), 0)
            return [self._packet(_UDP, source, destination, header, octets, 6)]
        packets = []
        acknowledged = self._next_octet.get((destination, source), 1)
        for start in range(0, len(octets) or 1, _LARGEST_SEGMENT):
            segment = octets[start : start + _LARGEST_SEGMENT]
            number = self._advance((source, destination), len(segment))
            # Header of five words; flags PSH and ACK.
            header = struct.pack("!HHIIBBHHH", source[1], destination[1], number, acknowledged, 0x50, 0x18, 0xFFFF, 0, 0)
            packets.append(self._packet(_TCP, source, destination, header, segment, 16))
        return packets

    def _advance(self, way: tuple[Place, Place], length: int) -> int:
        """The sequence number of the next segment one way; the longest-known ways are forgotten first."""
        number = self._next_octet.get(way, 1)
        self._next_octet[way] = (number + length) & 0xFFFFFFFF
        if len(self._next_octet) > _CONNECTIONS:
            del self._next_octet[next(iter(self._next_octet))]
        return number

    def _packet(self, protocol: int, source: Place, destination: Place, header: bytes, octets: bytes, checksum_at: int) -> bytes:
        self._count = (self._count + 1) & 0xFFFF
        length = len(header) + len(octets)
        addresses = source[0].packed + destination[0].packed
        checksum = _checksum(addresses + struct.pack("!II", length, protocol) + header + octets) or 0xFFFF
        header = header[:checksum_at] + struct.pack("!H", checksum) + header[checksum_at + 2 :]
        if source[0].version == 6:
            return struct.pack("!IHBB", 0x60000000, length, protocol, 64) + addresses + header + octets
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, self._count, 0, 64, protocol, 0)
        ip = ip[:10] + struct.pack("!H", _checksum(ip + addresses))
        return ip + addresses + header + octets

    def close(self) -> None:
        """Closes the file; one that was new is an empty capture even if nothing passed."""
        if not self._has_begun and self._file.tell() == 0:
            self._begin()
        self._file.close()


def _address(host: str) -> IPv4Address | IPv6Address:
    """A numeric host without its zone; a name (of a simulated network) becomes the unspecified address."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return IPv4Address(0)


def _local_address(entry: Entry, peer: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Our own address as far as it is known, in the peer's family."""
    endpoint = entry.flow.endpoint
    address = _address(endpoint.host)
    if address.is_unspecified:
        # Listening on every address: a peer on this machine reached the address it came from.
        address = peer if peer.is_loopback else _address(endpoint.advertised)
    if address.version == peer.version:
        return address
    return IPv6Address(0) if peer.version == 6 else IPv4Address(0)


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
