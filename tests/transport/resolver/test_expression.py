"""Expressions out of somebody's DNS: what they match, and that they cost no more than they say (RFC 3402 §3.2, RFC 6116 §5.2)."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.transport.resolver.expression import ALPHABET, Expression, ExpressionError

NUMBER = "+4930123456"


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("^.*$", [NUMBER]),
        (r"^\+49(.*)$", [NUMBER, "30123456"]),
        (r"^(\+4930)([0-9]{3})([0-9]+)$", [NUMBER, "+4930", "123", "456"]),
        (r"^\+49(30|40)(.*)$", [NUMBER, "30", "123456"]),
        (r"^\+(1|49|4)(.*)$", [NUMBER, "49", "30123456"]),
        (r"^[+]49([[:digit:]]*)$", [NUMBER, "30123456"]),
        (r"^\+([^5-9]+)", ["+4", "4"]),
        ("123", ["123"]),
        (r"^(\+49)?(0)?", ["+49", "+49", ""]),
        (r"(9(3)?)+", ["93", "93", "3"]),
        (r"^\+4{1,3}9{1}3{1,}0", ["+4930"]),
        (r"^(a|\+)49", ["+49", "+"]),
        (r"^[]+]4", ["+4"]),
        ("", [""]),
        ("x|", [""]),
        ("(|x)9", ["9", ""]),
        ("[5-]|[[:alpha:]]", ["5"]),
    ],
)
def test_what_matches(text: str, matched: list[str]) -> None:
    assert Expression(text).match(NUMBER) == matched


@pytest.mark.parametrize("text", [r"^4930", "x", r"^\+49$", "[^0-9+]", "[[:alpha:]]", r"^\+.{20}$", "0{2}"])
def test_what_does_not_match(text: str) -> None:
    assert Expression(text).match(NUMBER) is None


@pytest.mark.parametrize(
    "text",
    [
        "(",
        ")",
        "a)",
        "(a",
        "[",
        "[a",
        "[]",
        "[[:digits:]]",
        "[[=a=]]",
        "[[:digit",
        "*a",
        "+",
        "a|*",
        "a{",
        "a{x}",
        "a{2,1}",
        "a{999}",
        "\\",
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text)


@pytest.mark.parametrize("text", [r"(.)\1", "(" * 21 + ")" * 21, ".{250}.", "(.{16}){16}", "((.{9}){9}){9}", "a{,3}"])
def test_what_asks_for_too_much(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "(.*)*" * 20 + "x",
        "(.+)+x",
        "(.|.|[0-9])*" * 15 + "x",
        "(((.*)*)*)*x",
        ".?" * 80 + "x",
        "(.?){45}x",
        "(.*){35}x",
        "(4|9|3|0)*" * 15 + "x",
    ],
)
def test_what_would_backtrack_for_ever_elsewhere_does_not(text: str) -> None:
    expression = Expression(text)
    begin = time.process_time()
    assert expression.match("+123456789012345") is None
    assert time.process_time() - begin < 0.1


# What Python's `re` and POSIX understand alike: no alternatives, of which POSIX takes the longest and `re` the first, as we do.
_ATOMS = st.sampled_from(["4", "9", "[0-4]", "[^0-4]", ".", r"\+", "(3)", "(.)", "(49)", "(4|9)", "(4|49|[39])"])
_PIECES = st.builds(str.__add__, _ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}"]))


@given(
    begin=st.sampled_from(["", "^"]),
    pieces=st.lists(_PIECES, max_size=6),
    end=st.sampled_from(["", "$"]),
    digits=st.text(ALPHABET[1:6] + "9", max_size=8),
)
def test_it_is_what_re_makes_of_it(begin: str, pieces: list[str], end: str, digits: str) -> None:
    text = begin + "".join(pieces) + end
    number = f"+{digits}"
    oracle = re.search(text, number)
    found = Expression(text).match(number)
    if oracle is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == oracle[0]


@given(st.text(r"+0123456789()[]{}*?|.^$\,-:ab", max_size=60))
def test_whatever_it_is_it_ends(text: str) -> None:
    try:
        expression = Expression(text)
    except ExpressionError:
        return
    expression.match(NUMBER)
