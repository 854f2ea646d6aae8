"""The table of dialogs: what a request, a Replaces or a fork finds in it (RFC 3261 §12.2.2, §13.2.2.4)."""

import pytest

from ringback.dialog.dialog import Dialog
from ringback.dialog.dialogs import Dialogs
from ringback.message.errors import SipParseError
from tests.dialog.messages import (
    INVITE_AT_BOB,
    OK_AT_ALICE,
    RINGING_AT_ALICE,
    at_alice,
    at_bob,
    in_dialog,
    request,
    response,
    with_line,
)

CALL_ID = "3848276298220188511@atlanta.example.com"
ALICE, BOB = "9fxced76sl", "314159"


def of_fork(tag: str, text: str = RINGING_AT_ALICE) -> Dialog:
    """What Alice has of one of the phones that her INVITE was forked to."""
    return at_alice(text.replace("314159", tag))


def table(*dialogs: Dialog) -> Dialogs:
    made = Dialogs()
    for dialog in dialogs:
        made.add(dialog)
    return made


def test_a_request_finds_its_dialog() -> None:
    dialog = at_bob()
    assert table(dialog, at_bob(tag="other")).of_request(in_dialog("BYE", 3)) is dialog


def test_a_request_of_no_dialog_finds_none() -> None:
    dialogs = table(at_bob())
    assert dialogs.of_request(request(INVITE_AT_BOB)) is None
    for name, line in (
        ("To", "To: <sip:bob@biloxi.example.com>;tag=other"),
        ("From", "From: <sip:alice@atlanta.example.com>;tag=other"),
        ("From", "From: <sip:alice@atlanta.example.com>"),
        ("Call-ID", "Call-ID: other"),
    ):
        assert dialogs.of_request(request(with_line(str(in_dialog("BYE", 3)).replace("\r\n", "\n"), name, line))) is None
    assert Dialogs().of_request(in_dialog("BYE", 3)) is None


def test_a_request_with_a_malformed_tag_is_the_senders_fault() -> None:
    bye = with_line(str(in_dialog("BYE", 3)).replace("\r\n", "\n"), "To", "To: <sip:bob@biloxi.example.com>;tag=")
    with pytest.raises(SipParseError) as caught:
        table(at_bob()).of_request(request(bye))
    assert caught.value.field == "To"


def test_a_peer_without_a_tag_finds_its_dialog() -> None:
    dialog = at_bob(with_line(INVITE_AT_BOB, "From", "From: <sip:old@atlanta.example.com>"))
    bye = with_line(str(in_dialog("BYE", 3)).replace("\r\n", "\n"), "From", "From: <sip:old@atlanta.example.com>")
    assert table(dialog).of_request(request(bye)) is dialog


def test_tags_compare_without_case_and_call_ids_with_it() -> None:
    dialog = at_alice(OK_AT_ALICE.replace("314159", "Ab"))
    dialogs = table(dialog)
    assert dialogs.find(CALL_ID, "9FXCED76SL", "aB") is dialog
    assert dialogs.find(CALL_ID.upper(), ALICE, "Ab") is None


def test_replaces_finds_a_dialog_by_its_three_names() -> None:
    one, two = of_fork("1"), of_fork("2")
    dialogs = table(one, two)
    assert dialogs.find(CALL_ID, ALICE, "1") is one
    assert dialogs.find(CALL_ID, ALICE, "2") is two
    assert dialogs.find(CALL_ID, ALICE, "3") is None
    assert dialogs.find(CALL_ID, "other", "1") is None


def test_a_tag_of_zero_stands_for_no_tag_too() -> None:
    untagged = at_alice(with_line(OK_AT_ALICE, "To", "To: <sip:bob@biloxi.example.com>"))
    dialogs = table(untagged)
    assert dialogs.find(CALL_ID, ALICE, "0") is untagged
    assert dialogs.find(CALL_ID, ALICE, None) is untagged
    assert dialogs.find(CALL_ID, ALICE, "1") is None
    zero = of_fork("0")
    dialogs.add(zero)
    assert dialogs.find(CALL_ID, ALICE, "0") is zero
    dialogs.remove(zero)
    dialogs.add(of_fork("1"))
    assert dialogs.find(CALL_ID, ALICE, "0") is untagged
    assert table(at_alice()).find(CALL_ID, ALICE, "0") is None


def test_the_early_dialogs_of_a_forked_invite() -> None:
    one, two, three = of_fork("1"), of_fork("2"), of_fork("3")
    dialogs = table(one, two, three)
    assert dialogs.early_of(CALL_ID, ALICE) == [one, two, three]
    two.confirm(response(OK_AT_ALICE.replace("314159", "2")))
    assert dialogs.early_of(CALL_ID, ALICE) == [one, three]
    assert dialogs.early_of(CALL_ID, "other") == []


def test_the_early_dialog_of_an_invite_that_did_not_fork() -> None:
    dialog = of_fork("1")
    dialogs = table(dialog)
    assert dialogs.early_of(CALL_ID, ALICE) == [dialog]
    dialog.confirm(response(OK_AT_ALICE))
    assert dialogs.early_of(CALL_ID, ALICE) == []


def test_the_table_counts_and_lists() -> None:
    one, two, bob = of_fork("1"), of_fork("2"), at_bob()
    dialogs = table(one, two, bob)
    assert len(dialogs) == 3
    assert list(dialogs) == [one, two, bob]
    assert two in dialogs
    assert of_fork("2") not in dialogs
    assert "two" not in dialogs


def test_the_table_may_change_while_it_is_listed() -> None:
    dialogs = table(of_fork("1"), of_fork("2"), at_bob())
    for dialog in dialogs:
        dialogs.remove(dialog)
    assert len(dialogs) == 0
    assert list(dialogs) == []


def test_two_dialogs_of_one_name_are_a_fault() -> None:
    one, two = of_fork("1"), of_fork("2")
    dialogs = table(one)
    for again in (one, of_fork("1")):
        with pytest.raises(ValueError, match="is in the table"):
            dialogs.add(again)
    dialogs.add(two)
    for again in (one, two, of_fork("2")):
        with pytest.raises(ValueError, match="is in the table"):
            dialogs.add(again)
    assert list(dialogs) == [one, two]
    assert len(dialogs) == 2


def test_what_is_not_in_the_table_is_out_already() -> None:
    one, two = of_fork("1"), of_fork("2")
    dialogs = table(one)
    dialogs.remove(of_fork("1"))
    dialogs.remove(at_bob())
    dialogs.add(two)
    dialogs.remove(of_fork("2"))
    dialogs.remove(of_fork("3"))
    assert list(dialogs) == [one, two]
    for dialog in (one, two, one):
        dialogs.remove(dialog)
    assert len(dialogs) == 0
    dialogs.add(one)
    assert list(dialogs) == [one]


def test_a_caller_that_is_its_own_callee_has_two_dialogs() -> None:
    alice, bob = at_alice(), at_bob()
    dialogs = table(alice, bob)
    assert dialogs.of_request(in_dialog("BYE", 3)) is bob
    assert dialogs.find(CALL_ID, ALICE, BOB) is alice
