"""Ladders as text."""

from rich.cells import cell_len

from ringback.trace.ladder import Arrow, draw, header, rungs


def test_a_call_through_a_proxy() -> None:
    call = [
        Arrow("alice", "proxy", "INVITE (SDP)"),
        Arrow("proxy", "alice", "100 Trying"),
        Arrow("proxy", "bob", "INVITE (SDP)"),
        Arrow("bob", "proxy", "200 OK (SDP)"),
        Arrow("proxy", "alice", "200 OK (SDP)"),
        Arrow("alice", "bob", "ACK"),
    ]
    assert draw(call) == (
        "        alice                proxy                 bob\n"
        "          │── INVITE (SDP) ───▶│                    │\n"
        "          │◀─── 100 Trying ────│                    │\n"
        "          │                    │── INVITE (SDP) ───▶│\n"
        "          │                    │◀── 200 OK (SDP) ───│\n"
        "          │◀── 200 OK (SDP) ───│                    │\n"
        "          │───────────────── ACK ──────────────────▶│\n"
    )


def test_the_order_of_the_parties_can_be_given() -> None:
    assert draw([Arrow("b", "a", "BYE")], parties=["a", "b"]) == (
        "     a          b\n"
        "     │◀── BYE ──│\n"
    )  # fmt: skip


def test_times_stand_on_the_left() -> None:
    assert draw([Arrow("a", "b", "X", 0), Arrow("b", "a", "Y"), Arrow("b", "a", "Z", 32)]) == (
        "              a        b\n0.000         │── X ──▶│\n              │◀── Y ──│\n32.000        │◀── Z ──│\n"
    )


def test_to_oneself() -> None:
    assert draw([Arrow("a", "b", "INVITE"), Arrow("a", "a", "OPTIONS"), Arrow("b", "b", "OPTIONS")]) == (
        "       a              b\n       │── INVITE ───▶│\n       │ ⟲ OPTIONS    │\n       │              │ ⟲ OPTIONS\n"
    )


def test_wide_characters_keep_the_columns_straight() -> None:
    lines = draw([Arrow("電", "b", "電話"), Arrow("b", "電", "ok")]).split("\n")
    assert [cell_len(line) for line in lines[1:3]] == [20, 20]


def test_nothing() -> None:
    assert draw([]) == ""


def test_a_label_too_long_for_its_column_is_cut() -> None:
    left, drawn, right = rungs(0, 1, "x" * 50, 3, 20)
    assert len(drawn) == 19
    assert drawn.endswith("… ─▶")
    assert left.endswith("│")
    assert right.count("│") == 2


def test_a_name_too_long_for_its_column_is_cut() -> None:
    assert header(["x" * 40, "b"], 20).startswith("x" * 18 + "…")
