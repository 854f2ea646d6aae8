"""RFC 3261 §16.7 items 6 and 7: which of several final responses goes upstream."""

import itertools

import pytest

from ringback.message.message import Response
from ringback.server.proxy.best_response import best_of

# The winner of each row, whatever the order in which they came.
TABLE = [
    ([486, 404], 486, "the class decides, then who came first"),
    ([404], 404, ""),
    ([302, 404, 500], 302, "the lowest class"),
    ([404, 500], 404, "the lowest class"),
    ([503, 404], 404, "the lowest class"),
    ([603, 200 + 102, 404, 500], 603, "6xx before all"),
    ([600, 486], 600, "6xx before all"),
    ([606, 500, 408], 606, "6xx before all"),
    ([486, 401], 401, "4xx that tells how to ask again"),
    ([486, 407], 407, "4xx that tells how to ask again"),
    ([480, 415], 415, "4xx that tells how to ask again"),
    ([480, 420], 420, "4xx that tells how to ask again"),
    ([480, 484], 484, "4xx that tells how to ask again"),
    ([401, 407, 415, 420, 484, 486], 401, "4xx that tells how to ask again, in the order of the RFC"),
    ([408, 487], 487, "a callee's word before nobody's"),
    ([430, 404], 404, "430 speaks of one flow"),
    ([480, 487], None, "no preference"),
    ([503, 500], 500, "503 last"),
    ([503, 504], 504, "503 last"),
    ([503], 503, "503 alone"),
    ([401, 603], 603, "6xx before all"),
    ([300, 305, 380], None, "no preference"),
    ([401, 302], 302, "the lowest class"),
]


@pytest.mark.parametrize(("statuses", "winner", "why"), TABLE)
def test_the_best_response(statuses: list[int], winner: int | None, why: str) -> None:
    for order in itertools.permutations(statuses):
        best = best_of([Response(status) for status in order])
        if len(statuses) == 2 and winner == order[0] and why.endswith("first"):
            assert best.status == order[0]
        elif winner is None:
            assert best.status == order[0], "among equals the one that came first"
        elif not why.endswith("first"):
            assert best.status == winner, why


def challenged(status: int, *fields: tuple[str, str]) -> Response:
    return Response(status, headers=fields)


def test_challenges_of_all_401_and_407_are_collected_without_change() -> None:
    one = challenged(407, ("Proxy-Authenticate", 'Digest realm="a",  nonce="1"'), ("X", "kept"))
    two = challenged(401, ("WWW-Authenticate", 'Digest realm="b", nonce="2"'), ("WWW-Authenticate", 'Digest realm="b2", nonce="3"'))
    three = challenged(407, ("Proxy-Authenticate", 'Digest realm="c", nonce="4"'))
    other = challenged(480, ("WWW-Authenticate", 'Digest realm="not mine"'))
    best = best_of([one, two, three, other])
    assert best is two
    assert best.headers.texts("WWW-Authenticate") == ['Digest realm="b", nonce="2"', 'Digest realm="b2", nonce="3"']
    assert best.headers.texts("Proxy-Authenticate") == ['Digest realm="a",  nonce="1"', 'Digest realm="c", nonce="4"']


def test_a_407_collects_too() -> None:
    best = best_of(
        [challenged(407, ("Proxy-Authenticate", 'Digest realm="a"')), challenged(407, ("Proxy-Authenticate", 'Digest realm="a"'))]
    )
    assert best.headers.texts("Proxy-Authenticate") == ['Digest realm="a"', 'Digest realm="a"']


def test_nothing_is_collected_for_another_status() -> None:
    best = best_of([challenged(302), challenged(401, ("WWW-Authenticate", 'Digest realm="a"'))])
    assert "WWW-Authenticate" not in best.headers
