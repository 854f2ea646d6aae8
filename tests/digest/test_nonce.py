"""Nonces: made once, good for a while, each count used once (RFC 7616 §3.3, §5.5; reliability V20)."""

import pytest

from ringback.digest import Nonces
from tests.digest.party import KEY, NOW, REALM, RUN


def made(nonces: Nonces, now: float = NOW) -> int:
    number = nonces.identify(nonces.make(REALM, now), REALM)
    assert number is not None
    return number


def test_every_nonce_is_another_and_needs_no_escape() -> None:
    nonces = Nonces(KEY, RUN)
    texts = [nonces.make(REALM, NOW) for _ in range(1000)]
    assert len(set(texts)) == 1000
    assert all(len(text) == 32 and text.isascii() and not set(text) & set('"\\, ') for text in texts)


def test_a_nonce_is_known_to_its_process_and_realm_alone() -> None:
    nonces = Nonces(KEY, RUN)
    text = nonces.make(REALM, NOW)
    assert nonces.identify(text, REALM) is not None
    assert nonces.identify(text, "example.org") is None
    assert Nonces(KEY, b"s" * 16).identify(text, REALM) is None, "an earlier run, or another node"
    assert Nonces(b"l" * 32, RUN).identify(text, REALM) is None


def test_no_changed_text_is_a_nonce() -> None:
    nonces = Nonces(KEY, RUN)
    text = nonces.make(REALM, NOW)
    for index in range(len(text)):
        for char in "A/-\u00e4 =":
            if text[index] != char:
                assert nonces.identify(text[:index] + char + text[index + 1 :], REALM) is None
    for other in ("", text[:-1], text + "A", text[:-4] + "A===", "\udcff" * 32):
        assert nonces.identify(other, REALM) is None


def test_a_nonce_is_good_for_its_lifetime() -> None:
    nonces = Nonces(KEY, RUN, lifetime=60)
    number = made(nonces)
    assert nonces.is_fresh(number, NOW) and nonces.is_fresh(number, NOW + 60)
    assert not nonces.is_fresh(number, NOW + 61)
    assert not nonces.is_fresh(number, NOW - 1), "a clock that went back makes none younger"
    assert not nonces.is_aging(number, NOW + 30) and nonces.is_aging(number, NOW + 31)


def test_each_count_is_good_once_and_none_below_it() -> None:
    nonces = Nonces(KEY, RUN)
    number = made(nonces)
    assert [nonces.spend(number, count, NOW) for count in (1, 1, 2, 5, 3, 4, 5, 6, 2**32 - 1, 2**32 - 1)] == [
        *(True, False, True, True, False, False, False, True, True, False)
    ]


def test_without_counts_a_nonce_is_good_once() -> None:
    nonces = Nonces(KEY, RUN)
    uncounted, counted = made(nonces), made(nonces)
    assert nonces.spend(uncounted, None, NOW)
    assert not nonces.spend(uncounted, None, NOW)
    assert not nonces.spend(uncounted, 7, NOW)
    assert nonces.spend(counted, 1, NOW)
    assert not nonces.spend(counted, None, NOW)


def test_a_used_nonce_is_remembered_as_long_as_it_is_good() -> None:
    """Whatever the fractions of seconds, and however the halves turn."""
    for step in (0.3, 1.0, 7.7, 59.9, 61.3):
        nonces = Nonces(KEY, RUN, lifetime=60)
        used: list[int] = []
        now = NOW + 0.9
        for _ in range(200):
            number = made(nonces, now)
            assert nonces.spend(number, 1, now)
            used.append(number)
            now += step
            assert not any(nonces.is_fresh(one, now) and nonces.spend(one, 1, now) for one in used)


def test_what_has_expired_is_forgotten() -> None:
    nonces = Nonces(KEY, RUN, lifetime=60)
    for second in range(1000):
        assert nonces.spend(made(nonces, NOW + second), 1, NOW + second)
    assert len(nonces._used) + len(nonces._earlier) <= 2 * 62
    assert repr(nonces) == f"<Nonces {len(nonces._used) + len(nonces._earlier)} in use>"


def test_memory_is_bounded_and_what_is_forgotten_too_early_is_stale() -> None:
    nonces = Nonces(KEY, RUN, lifetime=300, most=100)
    used = []
    for index in range(1000):
        now = NOW + index / 10
        number = made(nonces, now)
        used.append(number)
        assert nonces.spend(number, 1, now)
        assert len(nonces._used) + len(nonces._earlier) <= 100
    assert not any(nonces.is_fresh(one, now) and nonces.spend(one, 1, now) for one in used)
    assert nonces.is_fresh(made(nonces, now), now), "new ones are good"
    assert not nonces.is_fresh(used[0], NOW)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"key": b"short", "run": RUN}, "16 octets"),
        ({"key": KEY, "run": b""}, "16 octets"),
        ({"key": KEY, "run": RUN, "lifetime": 0}, "a second at least"),
        ({"key": KEY, "run": RUN, "lifetime": 2.0**32}, "a second at least"),
        ({"key": KEY, "run": RUN, "most": 1}, "two are remembered"),
    ],
)
def test_what_cannot_make_nonces(arguments: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Nonces(**arguments)  # type: ignore[arg-type]  # that is what is tested
