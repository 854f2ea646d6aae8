"""Patterns of numbers: what fits, and what is no pattern."""

import pytest

from ringback.server.targets.number_pattern import number_pattern


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("911", ["911"], ["91", "9111", "X11"]),
        ("9XX", ["900", "999"], ["90", "9000", "9a0"]),
        ("Z.", ["10", "9#"], ["1", "01"]),
        ("N!", ["2", "29", "9abc"], ["1", "12"]),
        ("0[1-9]X.", ["0123", "01234"], ["0023", "012"]),
        ("[+0]49.", ["+4930", "0491"], ["49301", "+49"]),
        ("+4930XXXX", ["+49301234"], ["49301234", "+493012345"]),
        ("*21*", ["*21*"], ["*21", "21"]),
        ("support", ["support"], ["Support"]),
        ("room[1-3a]", ["room2", "rooma"], ["room4", "room"]),
    ],
)
def test_what_fits(pattern: str, fits: list[str], does_not: list[str]) -> None:
    is_fitting = number_pattern(pattern)
    assert [user for user in fits if not is_fitting(user)] == []
    assert [user for user in does_not if is_fitting(user)] == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "needs at least one"),
        ("1.2", r"'\.' at position 2"),
        ("!!", "'!' at position 1"),
        ("(a+)+", r"'\(' at position 1"),
        ("[1-", r"'\[' at position 1"),
        ("[]", r"'\[' at position 1"),
        ("[5-1]", "backwards"),
        ("a b", "' ' at position 2"),
        ("x\n", r"'\\n' at position 2"),
    ],
)
def test_what_is_no_pattern(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        number_pattern(pattern)


def test_what_is_dialled_may_be_anything() -> None:
    assert number_pattern("0.")("0\n\x00é\udcff")
    assert not number_pattern("0X")("0٣"), "a digit is one of ASCII"
