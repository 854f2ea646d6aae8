"""The names of calls that ended: for a while, and not without bound."""

from __future__ import annotations

from ringback import Request
from ringback.agent.call.ended_dialogs import MAX_ENDED, EndedDialogs
from ringback.dialog.dialog import Dialog
from ringback.message.derive import response_to


def dialog(call_id: str, tag: str | None = "Theirs") -> Dialog:
    """A dialog of a call that came in, with the local tag Ours."""
    from_ = "<sip:a@example.com>" if tag is None else f"<sip:a@example.com>;tag={tag}"
    fields = [("Via", "SIP/2.0/UDP 192.0.2.1"), ("From", from_), ("To", "<sip:b@example.com>"), ("Call-ID", call_id), ("CSeq", "1 INVITE")]
    invite = Request("INVITE", "sip:b@example.com", [*fields, ("Contact", "<sip:a@192.0.2.1>")])
    return Dialog.of_server(invite, response_to(invite, 200, tag="Ours"))


def test_a_dialog_that_ended_is_known_by_its_name_tags_without_case_from_then_on() -> None:
    ended = EndedDialogs()
    ended.add(dialog("1"), 100.0)
    ended.add(dialog("2", None), 100.0)
    assert ended.has_since("1", "OURS", "theirs", 100.0)
    assert ended.has_since("2", "Ours", "0", 50.0)
    assert not ended.has_since("1", "Ours", "Theirs", 100.5)
    assert not ended.has_since("1", "Theirs", "Ours", 0.0)
    assert not ended.has_since("3", "Ours", "Theirs", 0.0)


def test_the_oldest_is_forgotten_first() -> None:
    ended = EndedDialogs()
    for number in range(MAX_ENDED + 1):
        ended.add(dialog(str(number)), float(number))
    assert not ended.has_since("0", "Ours", "Theirs", 0.0)
    assert ended.has_since("1", "Ours", "Theirs", 0.0)
    assert ended.has_since(str(MAX_ENDED), "Ours", "Theirs", 0.0)


def test_whether_it_was_our_bye_that_ended_it() -> None:
    ended = EndedDialogs()
    ended.add(dialog("1"), 100.0, by_our_bye=True)
    ended.add(dialog("2"), 100.0)
    assert ended.has_our_bye("1", "ours", "theirs", 100.0)
    assert not ended.has_our_bye("1", "Ours", "Theirs", 100.5)
    assert not ended.has_our_bye("2", "Ours", "Theirs", 100.0)
    assert not ended.has_our_bye("3", "Ours", "Theirs", 0.0)
