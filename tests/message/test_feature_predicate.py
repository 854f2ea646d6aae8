"""Feature predicates (RFC 3840 §5, §9; RFC 3841 §7.2, §8): what is written, what it means, what matches."""

from math import inf

import pytest

from ringback.message.feature_predicate import Filter, is_match, predicate_of, score
from ringback.message.grammar import parse_params


def tokens(*names: str) -> tuple[Filter, ...]:
    return tuple(Filter(name) for name in names)


def test_a_contact_as_rfc3841_shows_it() -> None:
    """§7.2.3's example; what is no feature parameter does not count."""
    params = (
        ';audio;video;mobility="fixed";+sip.message="TRUE";other-param=66372;methods="INVITE,OPTIONS,BYE,CANCEL,ACK";schemes="sip,http"'
    )
    assert predicate_of(parse_params(params)) == {
        "sip.audio": tokens("true"),
        "sip.video": tokens("true"),
        "sip.mobility": tokens("fixed"),
        "sip.message": tokens("true"),
        "sip.methods": tokens("invite", "options", "bye", "cancel", "ack"),
        "sip.schemes": tokens("sip", "http"),
    }


def test_every_form_as_rfc3841_shows_it() -> None:
    """§8's example, the one of RFC 3840 §5."""
    params = (
        ';mobility="fixed";events="!presence,message-summary";language="en,de";description="<PC>";+sip.newparam;+rangeparam="#-4:+5.125"'
    )
    assert predicate_of(parse_params(params)) == {
        "sip.mobility": tokens("fixed"),
        "sip.events": (Filter("presence", is_negated=True), Filter("message-summary")),
        "language": tokens("en", "de"),
        "sip.description": (Filter("PC", is_string=True),),
        "sip.newparam": tokens("true"),
        "rangeparam": (Filter((-4.0, 5.125)),),
    }


@pytest.mark.parametrize(
    ("params", "tag"),
    [
        (";+sip.foo", "sip.foo"),
        (";+g.oma.sip-im", "g.oma.sip-im"),
        (";+u.org!example'x", "u.org:example/x"),
        (";type", "type"),
        (";+video", "sip.video"),
        (";+language", "language"),
        (";isfocus", "sip.isfocus"),
    ],
)
def test_a_parameter_encodes_a_feature_tag(params: str, tag: str) -> None:
    assert predicate_of(parse_params(params)) == {tag: tokens("true")}


def test_a_base_tag_wins_over_the_same_with_a_plus() -> None:
    assert predicate_of(parse_params(';+class="business";class="personal"')) == {"sip.class": tokens("personal")}


@pytest.mark.parametrize("params", ["", ";q=0.5", ";expires=60;x=y", ';class=""', ';class=","'])
def test_nothing_is_said(params: str) -> None:
    assert predicate_of(parse_params(params)) == {}


@pytest.mark.parametrize(
    ("text", "limits"),
    [("#=5", (5, 5)), ("#>=5.25", (5.25, inf)), ("#<=-5", (-inf, -5)), ("#-1:+1", (-1, 1)), ("#0.5:1.", (0.5, 1))],
)
def test_numbers(text: str, limits: tuple[float, float]) -> None:
    assert predicate_of({"+x": f'"{text}"'}) == {"x": (Filter(limits),)}
    assert predicate_of({"+x": f'"!{text}"'}) == {"x": (Filter(limits, is_negated=True),)}


@pytest.mark.parametrize("text", ["#", "#x", "#=", "#1", "#1:2:3", "#>=1,5x"])
def test_what_is_no_number_is_a_token(text: str) -> None:
    first = predicate_of({"+x": f'"{text}"'})["x"][0]
    assert isinstance(first.value, str) or text.startswith("#>=1,")


@pytest.mark.parametrize(
    ("wanted", "offered", "matches"),
    [
        ("INVITE", "invite", True),
        ("INVITE", "BYE,INVITE", True),
        ("BYE,INVITE", "INVITE,OPTIONS", True),
        ("BYE", "INVITE,OPTIONS", False),
        ("<PC>", "<PC>", True),
        ("<PC>", "<pc>", False),
        ("<PC>", "PC", False),
        ("TRUE", "FALSE", False),
        ("!presence", "presence", False),
        ("!presence", "dialog", True),
        ("!presence", "presence,dialog", True),
        ("!presence", "!presence", True),
        ("!presence", "!dialog", True),
        ("!PC", "<PC>", True),
        ("#=5", "#>=5", True),
        ("#<=4", "#>=5", False),
        ("#1:3", "#3:9", True),
        ("#1:3", "#4:9", False),
        ("#=5", "5", False),
        ("!#1:3", "#2:2", False),
        ("!#1:3", "#2:4", True),
        ("!#1:3", "token", True),
    ],
)
def test_values_match(wanted: str, offered: str, matches: bool) -> None:
    one, other = predicate_of({"+x": f'"{wanted}"'}), predicate_of({"+x": f'"{offered}"'})
    assert is_match(one, other) is matches
    assert is_match(other, one) is matches


def test_a_tag_that_only_one_names_hinders_nothing() -> None:
    audio, video = predicate_of({"audio": None}), predicate_of({"video": None})
    assert is_match(audio, video)
    assert is_match(audio, {})
    assert not is_match(audio | video, video | predicate_of({"audio": '"FALSE"'}))


def test_a_score_is_how_much_is_mentioned() -> None:
    wanted = predicate_of({"audio": None, "class": '"business"'})
    assert [score(wanted, predicate_of(offered)) for offered in ({}, {"audio": None}, {"audio": None, "class": "x"})] == [0, 0.5, 1]
    assert score({}, {}) == 1


@pytest.mark.parametrize("wanted", ["x500", "y", "!x1", "#=5", "#=5,!x1", "<x1>"])
@pytest.mark.parametrize("offered", ["y", "!y", "!z", "#>=5", "#>=6", "!#1:9", "y,!#1:9"])
def test_long_lists_are_compared_as_short_ones_are(wanted: str, offered: str) -> None:
    """In linear time, which nobody sees but who sends thousands of values."""
    longs = [",".join(f"{letter}{number}" for number in range(300)) for letter in "xz"]
    one, other = predicate_of({"+x": f'"{wanted},{longs[1]}"'}), predicate_of({"+x": f'"{offered},{longs[0]}"'})
    expected = any(mine.allows(yours) for mine in one["x"] for yours in other["x"])
    assert is_match(one, other) is is_match(other, one) is expected
