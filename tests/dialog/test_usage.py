"""What a failure response ends, compared with the tables of RFC 5057 §5.1."""

import pytest

from ringback.dialog.usage import DIALOG, EFFECTS, TRANSACTION, USAGE, effect_of

# Table 1 of §5.1; 408 stands in its first column and its note 4 sends it to §5.2: a usage.
TRANSACTION_ONLY = [
    *(400, 401, 402, 403, 406, 407, 412, 413, 414, 415, 417, 420, 421, 422, 423, 428, 429, 436, 437, 438, 486, 487, 488, 491, 493, 494),
    *(500, 503, 504, 505, 513, 580, 600, 603, 606),
]
DESTROYS_USAGE = [405, 408, 480, 481, 489, 501]
DESTROYS_DIALOG = [404, 410, 416, 482, 483, 484, 485, 502, 604]


@pytest.mark.parametrize("status", TRANSACTION_ONLY)
def test_most_failures_end_their_transaction_only(status: int) -> None:
    assert effect_of(status, "NOTIFY") == TRANSACTION


@pytest.mark.parametrize("status", DESTROYS_USAGE)
def test_some_failures_end_the_usage(status: int) -> None:
    assert effect_of(status, "NOTIFY") == USAGE


@pytest.mark.parametrize("status", DESTROYS_DIALOG)
@pytest.mark.parametrize("method", ["NOTIFY", "INVITE", "OPTIONS", "MESSAGE"])
def test_some_failures_end_the_dialog_whatever_the_request_was(status: int, method: str) -> None:
    assert effect_of(status, method) == DIALOG


def test_the_table_is_the_rfcs() -> None:
    assert dict.fromkeys(DESTROYS_USAGE, USAGE) | dict.fromkeys(DESTROYS_DIALOG, DIALOG) == EFFECTS


@pytest.mark.parametrize("status", [424, 499, 599, 699, 302])
def test_an_unknown_failure_and_a_redirection_end_their_transaction_only(status: int) -> None:
    assert effect_of(status, "INVITE") == TRANSACTION


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK", "INFO", "BYE", "NOTIFY", "REFER"])
def test_a_481_or_a_timeout_ends_the_usage(method: str) -> None:
    assert effect_of(481, method) == USAGE
    assert effect_of(408, method) == USAGE


def test_a_refresh_that_timed_out_leaves_its_subscription() -> None:
    assert effect_of(408, "SUBSCRIBE") == TRANSACTION
    assert effect_of(481, "SUBSCRIBE") == USAGE


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "x-own"])
@pytest.mark.parametrize("status", DESTROYS_USAGE)
def test_a_request_of_no_usage_ends_none(method: str, status: int) -> None:
    assert effect_of(status, method) == TRANSACTION


@pytest.mark.parametrize("status", [405, 501])
def test_a_method_the_peer_may_do_without_is_only_refused(status: int) -> None:
    assert [effect_of(status, method) for method in ("INFO", "UPDATE", "REFER")] == [TRANSACTION] * 3
    assert [effect_of(status, method) for method in ("INVITE", "BYE", "SUBSCRIBE")] == [USAGE] * 3


def test_a_bad_event_concerns_subscriptions() -> None:
    assert effect_of(489, "SUBSCRIBE") == USAGE
    assert effect_of(489, "INVITE") == TRANSACTION


@pytest.mark.parametrize("status", [481, 404, 502])
def test_what_a_cancel_meets_concerns_the_cancel(status: int) -> None:
    assert effect_of(status, "CANCEL") == TRANSACTION


@pytest.mark.parametrize("status", [100, 200, 299])
def test_only_failures_are_asked_about(status: int) -> None:
    with pytest.raises(ValueError, match="no failure"):
        effect_of(status, "BYE")
