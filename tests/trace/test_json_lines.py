"""A trace as JSON."""

import base64
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ringback.address import Flow
from ringback.trace.json_lines import JsonLines, json_line
from tests.trace.passed import ALICE, BOB, INVITE, RINGING, TCP, entry


def test_a_request() -> None:
    assert json.loads(json_line(entry(INVITE))) == {
        "time": "2027-01-15T08:00:00.250000+00:00",
        "direction": "in",
        "transport": "UDP",
        "source": "127.0.0.1:5071",
        "destination": "127.0.0.1:5060",
        "size": len(INVITE),
        "method": "INVITE",
        "uri": "sip:bob@example.test",
        "call_id": "a84b4c76e66710",
        "cseq": "1 INVITE",
        "from": "<sip:alice@example.test>;tag=1",
        "to": "Bob <sip:bob@example.test>",
        "message": INVITE.decode(),
    }


def test_a_response_over_a_connection() -> None:
    fields = json.loads(json_line(entry(RINGING, Flow(TCP, ("::1", 40000), 7), "out")))
    assert (fields["status"], fields["reason"]) == (180, "Ringing")
    assert (fields["transport"], fields["connection"]) == ("TCP", 7)
    assert (fields["source"], fields["destination"]) == ("127.0.0.1:5060", "[::1]:40000")


def test_what_was_no_message() -> None:
    fields = json.loads(json_line(entry(b"\xff\x00\r\n", malformed="Malformed Start Line")))
    assert fields["malformed"] == "Malformed Start Line"
    assert base64.b64decode(fields["octets"]) == b"\xff\x00\r\n"
    assert "method" not in fields
    assert json.loads(json_line(entry(b"x")))["malformed"] == "no SIP message"


def test_values_are_cut_but_the_message_is_whole() -> None:
    data = INVITE.replace(b"a84b4c76e66710", b"a" * 1000)
    fields = json.loads(json_line(entry(data)))
    assert len(fields["call_id"]) == 256
    assert fields["message"] == data.decode()


@given(st.binary(max_size=100))
def test_one_line_of_harmless_ascii_from_which_the_octets_come_back(data: bytes) -> None:
    data = INVITE + data
    line = json_line(entry(data))
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    fields = json.loads(line)
    assert (base64.b64decode(fields["octets"]) if "octets" in fields else fields["message"].encode()) == data


def test_lines_are_appended_and_whole_at_once(tmp_path: Path) -> None:
    file = tmp_path / "calls.json"
    for flow in (ALICE, BOB):
        sink = JsonLines(file)
        sink.write(entry(INVITE, flow))
        assert file.read_bytes().endswith(b"}\n")
        sink.close()
    assert sink.name == str(file)
    assert [json.loads(line)["source"] for line in file.read_text().split("\n")[:-1]] == ["127.0.0.1:5071", "127.0.0.1:5072"]
