"""The ladder while it happens."""

import io
import re

from rich.console import Console

from ringback.address import Flow
from ringback.trace.live import LiveLadder
from tests.trace.passed import ALICE, BOB, INVITE, RINGING, TCP, entry, octets

SGR = re.compile("\x1b\\[[0-9;]*m")


def live(*entries: object, width: int = 140, is_terminal: bool = False) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=is_terminal, color_system="truecolor" if is_terminal else None, legacy_windows=False
    )
    ladder = LiveLadder(console)
    for one in entries:
        ladder.write(one)  # type: ignore[arg-type]
    ladder.close()
    return file.getvalue().split("\n")[:-1]


def test_columns_appear_as_parties_appear() -> None:
    lines = live(entry(INVITE), entry(INVITE, BOB, "out"), entry(RINGING, BOB), entry(RINGING, ALICE, "out"))
    assert [line[13:] for line in lines] == [
        "      127.0.0.1:5071               ringback",
        "             │───── INVITE (SDP) ─────▶│            1 INVITE  alice → bob",
        "      127.0.0.1:5071               ringback               127.0.0.1:5072",
        "             │                         │───── INVITE (SDP) ─────▶│            1 INVITE  alice → bob",
        "             │                         │◀───── 180 Ringing ──────│            1 INVITE  alice → bob",
        "             │◀───── 180 Ringing ──────│                         │            1 INVITE  alice → bob",
    ]


def test_a_transport_that_is_not_udp_is_named() -> None:
    lines = live(entry(INVITE, Flow(TCP, ("::1", 5071), 3), "out"))
    assert lines[0].split() == ["ringback", "TCP", "[::1]:5071"]
    assert "│───── INVITE (SDP) ─────▶│" in lines[1]


def test_the_time_is_local_with_milliseconds() -> None:
    assert re.match(r"\d\d:\d\d:00\.250 ", live(entry(INVITE))[1])


def test_whoever_was_silent_longest_makes_room() -> None:
    carol = Flow(ALICE.endpoint, ("127.0.0.1", 5073))
    lines = live(entry(INVITE), entry(INVITE, BOB, "out"), entry(RINGING, ALICE, "out"), entry(INVITE, carol), width=80, is_terminal=True)
    names = [SGR.sub("", line).split() for line in lines if "ringback" in line]
    assert names == [
        ["127.0.0.1:5071", "ringback"],
        ["127.0.0.1:5071", "ringback", "127.0.0.1:5072"],
        ["127.0.0.1:5071", "ringback", "127.0.0.1:5073"],
    ]


def test_however_many_peers_a_file_keeps_six_columns() -> None:
    lines = live(*[entry(INVITE, Flow(ALICE.endpoint, ("127.0.0.1", port))) for port in range(6000, 6020)])
    assert len(lines) == 40
    assert lines[-2].split() == ["127.0.0.1:6015", "ringback", *[f"127.0.0.1:{port}" for port in (6016, 6017, 6018, 6019)]]


def test_a_terminal_line_never_wraps() -> None:
    lines = live(entry(octets("INVITE sip:b@a.test SIP/2.0", cseq="1 INVITE" + "X" * 200)), width=80, is_terminal=True)
    assert len(lines) == 2
    assert all(len(SGR.sub("", line)) <= 80 for line in lines)


def test_nothing_of_a_strangers_message_reaches_the_terminal_raw() -> None:
    hostile = b"\x1b]0;owned\x07 \xc2\x9b2J \xe2\x80\xae [bold] \xff"
    message = octets("SIP/2.0 200 " + "OK", cseq="1 INVITE").replace(b"OK", hostile).replace(b"<sip:alice@", b"<sip:al" + hostile + b"ice@")
    for one in (entry(message), entry(hostile, malformed="Malformed Start Line")):
        text = "\n".join(SGR.sub("", line) for line in live(one, is_terminal=True))
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "[bold]" in text or "malformed" not in text


def test_each_call_has_a_colour_and_faults_are_red() -> None:
    other = INVITE.replace(b"a84b4c76e66710", b"another")
    lines = live(entry(INVITE), entry(RINGING, direction="out"), entry(other), entry(octets("SIP/2.0 486 Busy Here")), is_terminal=True)
    colours = [SGR.findall(line.replace("\x1b[2m", "").replace("\x1b[0m", ""))[0] for line in lines[1:]]
    assert colours[0] == colours[1] != colours[2]
    assert colours[3] == "\x1b[31m"
    assert "\x1b[1;31m" in live(entry(b"x", malformed="No"), is_terminal=True)[1]
