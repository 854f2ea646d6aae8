"""Our Record-Route entry, and how it proves a dialog (RFC 3261 §16.4, §16.6 item 4)."""

import pytest

from ringback.address import Endpoint
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.message.uri import SipUri, parse_uri
from ringback.server.proxy.record_route import AT_HOME, ELSEWHERE, UNPROVEN, RecordRoute, party

UDP = Endpoint("UDP", "192.0.2.1", 5060)
TCP = Endpoint("TCP", "192.0.2.1", 5060)
LONELY = Endpoint("TCP", "192.0.2.1", 5070)
SIX = Endpoint("UDP", "2001:db8::1", 5060)


CALLER, CALLEE = "198.51.100.1", "2001:db8::2"


def made(key: bytes = b"k" * 32) -> RecordRoute:
    record_route = RecordRoute(key)
    record_route.serve([UDP, TCP, LONELY, SIX])
    return record_route


def route_of(line: str) -> str:
    """The Route line that a party makes of a Record-Route line."""
    return line.removeprefix("Record-")


def request(call_id: str = "c", from_tag: str | None = "f", to_tag: str | None = None) -> Request:
    parsed = parse_datagram(
        (
            f"BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>{f';tag={from_tag}' if from_tag else ''}\r\n"
            f"To: <sip:b@h>{f';tag={to_tag}' if to_tag else ''}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\n\r\n"
        ).encode("utf-8", "surrogateescape")
    )
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize("endpoint", [UDP, TCP, LONELY, SIX])
def test_the_entry_is_a_sip_uri_with_lr_that_leads_back(endpoint: Endpoint) -> None:
    [line] = made().lines(("c", "f", CALLER), CALLEE, endpoint, endpoint, is_sips=False)
    assert line.startswith("Record-Route: <") and line.endswith(">")
    uri = parse_uri(line[15:-1])
    assert isinstance(uri, SipUri)
    assert (uri.scheme, uri.host, uri.port, uri.lr) == ("sip", endpoint.host, endpoint.port, True)
    assert uri.transport == (None if endpoint.transport == "UDP" else endpoint.transport)


def test_either_party_may_show_the_proof() -> None:
    record_route = made()
    proof = record_route.proof_in_line(route_of(record_route.lines(("c", "f", CALLER), CALLEE, UDP, UDP, is_sips=False)[0]))
    assert proof == record_route.proof("c", "f", CALLER, CALLEE)
    assert record_route.standing(proof, request(to_tag="t"), CALLER) == AT_HOME
    assert record_route.standing(proof, request(from_tag="t", to_tag="f"), CALLEE) == AT_HOME


def test_a_party_is_at_home_at_its_own_address_only() -> None:
    record_route = made()
    proof = record_route.proof("c", "f", CALLER, CALLEE)
    for elsewhere in (CALLEE, "198.51.100.11", "198.51.100", ""):
        assert record_route.standing(proof, request(to_tag="t"), elsewhere) == ELSEWHERE
    assert record_route.standing(proof, request(from_tag="t", to_tag="f"), CALLER) == ELSEWHERE
    # A zone is this machine's own name for its interface.
    assert record_route.standing(record_route.proof("c", "f", "fe80::1%eth0", CALLEE), request(), "fe80::1%eth1") == AT_HOME


def test_addresses_of_a_proof_cannot_be_changed() -> None:
    record_route = made()
    proof = record_route.proof("c", "f", CALLER, CALLEE)
    for forged in (proof.replace("198x", "203x"), proof[:20], proof[:20] + "y", proof + "y203x0x113x6", proof.replace("y", "")):
        assert record_route.standing(forged, request(to_tag="t"), "203.0.113.6") == UNPROVEN


def test_of_several_proofs_the_best_counts() -> None:
    """A request that went through this server twice carries two."""
    record_route = made()
    first, second = record_route.proof("c", "f", CALLER, "192.0.2.1"), record_route.proof("c", "f", "192.0.2.1", CALLEE)
    for proofs in (f"{first},{second}", f"{second},{first}", f"{first},x", f",{first}"):
        assert record_route.standing(proofs, request(to_tag="t"), CALLER) == AT_HOME
    assert record_route.standing(f"{first},{second}", request(from_tag="t", to_tag="f"), CALLEE) == AT_HOME
    assert record_route.standing(f"{second},x", request(), CALLER) == ELSEWHERE
    assert record_route.is_party(f"{first},{second}", CALLEE)


def test_who_is_a_party() -> None:
    record_route = made()
    proof = record_route.proof("c", "f", CALLER, CALLEE)
    assert record_route.is_party(proof, CALLER) and record_route.is_party(proof, CALLEE)
    for other in ("198.51.100.11", "198.51.100", "", "203.0.113.6"):
        assert not record_route.is_party(proof, other)


@pytest.mark.parametrize(
    "other",
    [
        request(call_id="d", to_tag="t"),
        request(from_tag="g", to_tag="t"),
        request(from_tag=None, to_tag="t"),
        request(call_id="cf", from_tag="x"),
        request(call_id="C", to_tag="t"),
    ],
)
def test_a_proof_is_for_one_dialog(other: Request) -> None:
    record_route = made()
    assert record_route.standing(record_route.proof("c", "f", CALLER, CALLEE), other, CALLER) == UNPROVEN


@pytest.mark.parametrize("proof", ["", "0" * 20, "\udcff", "é", ",", "0" * 20 + "y"])
def test_what_is_no_proof_proves_nothing(proof: str) -> None:
    assert made().standing(proof, request(to_tag="t"), CALLER) == UNPROVEN


def test_call_id_and_tag_cannot_be_shifted_against_each_other() -> None:
    record_route = made()
    assert record_route.proof("ab", "c", CALLER, CALLEE) != record_route.proof("a", "bc", CALLER, CALLEE)
    assert record_route.proof("1:a", "b", CALLER, CALLEE) != record_route.proof("1", ":ab", CALLER, CALLEE)


def test_another_key_makes_another_proof() -> None:
    proof = made().proof("c", "f", CALLER, CALLEE)
    assert made(b"x" * 32).proof("c", "f", CALLER, CALLEE) != proof == made().proof("c", "f", CALLER, CALLEE)
    assert len(bytes.fromhex(proof[:20])) == 10


@pytest.mark.parametrize(
    "line",
    [
        "Route: <sip:192.0.2.1:5060;lr;proof=abc>, <sip:next;lr>",
        "Route: <sip:192.0.2.1:5060;lr;proof=abc>;x=<y>",
        "Route: <sip:192.0.2.1:5060;lr;proof=>",
        "Route: <sip:192.0.2.1;lr;proof=abc>",
        "Route: <sip:192.0.2.9:5060;lr;proof=abc>",
        "Route: sip:192.0.2.1:5060;lr;proof=abc",
        "route: <sip:192.0.2.1:5060;lr;proof=abc>",
    ],
)
def test_only_our_entry_to_the_letter_is_read_quickly(line: str) -> None:
    assert made().proof_in_line(line) is None
    assert made().proof_in_line("Route: <sip:192.0.2.1:5060;lr;proof=abc>") == "abc"


def test_a_callid_of_any_octets_has_a_proof() -> None:
    odd = request(call_id="\udcff\udcfe", to_tag="t")
    record_route = made()
    proof = record_route.proof_in_line(route_of(record_route.lines((odd.call_id, "f", CALLER), CALLEE, UDP, UDP, is_sips=False)[0]))
    assert proof is not None and record_route.standing(proof, odd, CALLER) == AT_HOME


TLS = Endpoint("TLS", "192.0.2.1", 5061)
WS = Endpoint("WS", "192.0.2.1", 80)
WSS = Endpoint("WSS", "192.0.2.1", 443)
OF = ("c", "f", CALLER)


def with_everything() -> RecordRoute:
    record_route = RecordRoute(b"k" * 32)
    record_route.serve([UDP, TCP, SIX, TLS, WS, WSS])
    return record_route


def uris_of(lines: tuple[str, ...]) -> list[str]:
    """The URIs of Record-Route lines, without the proof."""
    return [line.removeprefix("Record-Route: <").removesuffix(">").partition(";proof=")[0] for line in lines]


@pytest.mark.parametrize(
    ("came", "goes", "entries"),
    [
        (UDP, TCP, ["sip:192.0.2.1:5060;transport=tcp;lr", "sip:192.0.2.1:5060;lr"]),
        (TCP, UDP, ["sip:192.0.2.1:5060;lr", "sip:192.0.2.1:5060;transport=tcp;lr"]),
        (UDP, SIX, ["sip:[2001:db8::1]:5060;lr", "sip:192.0.2.1:5060;lr"]),
        (SIX, TLS, ["sip:192.0.2.1:5061;transport=tls;lr", "sip:[2001:db8::1]:5060;lr"]),
        (WS, UDP, ["sip:192.0.2.1:5060;lr", "sip:192.0.2.1:80;transport=ws;lr"]),
        (UDP, WSS, ["sip:192.0.2.1:443;transport=wss;lr", "sip:192.0.2.1:5060;lr"]),
    ],
)
def test_between_two_endpoints_there_are_two_entries(came: Endpoint, goes: Endpoint, entries: list[str]) -> None:
    """RFC 5658 §5: the callee sees its own side on top, the caller at the end."""
    record_route = with_everything()
    lines = record_route.lines(OF, CALLEE, came, goes, is_sips=False)
    assert uris_of(lines) == entries
    # One proves the dialog, both are ours to the letter.
    assert [record_route.proof_in_line(route_of(line)) for line in lines] == ["", record_route.proof(*OF, CALLEE)]


@pytest.mark.parametrize(
    ("came", "goes", "entries"),
    [
        (TLS, TLS, ["sips:192.0.2.1:5061;lr"]),
        (WSS, TLS, ["sips:192.0.2.1:5061;lr", "sips:192.0.2.1:443;transport=ws;lr"]),
        (TLS, WSS, ["sips:192.0.2.1:443;transport=ws;lr", "sips:192.0.2.1:5061;lr"]),
        (UDP, TLS, ["sips:192.0.2.1:5061;lr"]),
    ],
)
def test_where_a_sips_uri_is_called_every_entry_is_one(came: Endpoint, goes: Endpoint, entries: list[str]) -> None:
    """§16.6 item 4; RFC 5630 §4: what comes back over an entry of ours is as secure as what went."""
    assert uris_of(with_everything().lines(OF, CALLEE, came, goes, is_sips=True)) == entries


def test_a_party_behind_a_nat_is_found_down_its_flow() -> None:
    record_route = made()
    down = "udp-192.0.2.1-5060-198.51.100.1-40001"
    proof = record_route.proof("c", "f", party(CALLER, down), CALLEE)
    assert record_route.standing(proof, request(to_tag="t"), CALLER) == AT_HOME
    assert record_route.standing(proof, request(from_tag="t", to_tag="f"), CALLEE) == AT_HOME
    assert record_route.standing(proof, request(from_tag="t", to_tag="f"), CALLER) == ELSEWHERE
    # What the callee sends goes down the flow; what the caller sends goes to the callee's Contact.
    assert record_route.flow_name(proof, request(from_tag="t", to_tag="f")) == down
    assert record_route.flow_name(proof, request(to_tag="t")) == ""
    assert record_route.is_party(proof, CALLER) and record_route.is_party(proof, CALLEE) and not record_route.is_party(proof, down)
    [line] = record_route.lines(("c", "f", party(CALLER, down)), CALLEE, UDP, UDP, is_sips=False)
    assert record_route.proof_in_line(route_of(line)) == proof
    uri = parse_uri(line[15:-1])
    assert isinstance(uri, SipUri) and record_route.proof_in(uri) == proof


def test_a_flow_in_a_proof_cannot_be_changed() -> None:
    record_route = made()
    proof = record_route.proof("c", "f", CALLER, party(CALLEE, "tcp-7-run1"))
    assert record_route.flow_name(proof, request(to_tag="t")) == "tcp-7-run1"
    for forged in (proof.replace("tcp-7", "tcp-8"), proof.replace("~tcp-7-run1", ""), proof + "-1"):
        assert record_route.standing(forged, request(to_tag="t"), CALLER) == UNPROVEN
        assert record_route.flow_name(forged, request(to_tag="t")) == ""


def test_of_several_proofs_the_last_is_on_the_side_of_whom_a_request_is_for() -> None:
    record_route = made()
    first = record_route.proof("c", "f", party(CALLER, "tcp-1-run1"), "192.0.2.1")
    second = record_route.proof("c", "f", "192.0.2.1", party(CALLEE, "tcp-2-run1"))
    assert record_route.flow_name(f"{first},{second}", request(to_tag="t")) == "tcp-2-run1"
    assert record_route.flow_name(f"{second},{first}", request(from_tag="t", to_tag="f")) == "tcp-1-run1"


@pytest.mark.parametrize(
    ("came", "goes", "is_sips", "caller", "is_needed"),
    [
        (UDP, UDP, False, CALLER, False),
        (TLS, TLS, True, CALLER, False),
        # Comes over TLS, goes on as sip, though over TLS; comes without it, goes on as sips; between transports; down a flow.
        (TLS, TLS, False, CALLER, True),
        (UDP, TLS, True, CALLER, True),
        (UDP, TCP, False, CALLER, True),
        (UDP, UDP, False, party(CALLER, "udp-192.0.2.1-5060-198.51.100.1-40001"), True),
    ],
)
def test_where_none_is_wanted_there_is_one_all_the_same_if_nothing_passes_without(
    came: Endpoint, goes: Endpoint, is_sips: bool, caller: str, is_needed: bool
) -> None:
    """§16.6 item 4 demands it of who stands between TLS and something else."""
    lines = with_everything().lines(("c", "f", caller), CALLEE, came, goes, is_sips=is_sips, is_wanted=False)
    assert bool(lines) is is_needed
    assert all(("<sips:" in line) is is_sips for line in lines)
