"""Unpredictable text for branches and tags."""

from ringback.tokens import Tokens


def test_tokens_are_sixteen_hexadecimal_digits_and_never_the_same() -> None:
    tokens = Tokens()
    handed = [tokens() for _ in range(2_000)]
    assert len(set(handed)) == 2_000
    assert all(len(token) == 16 and not set(token) - set("0123456789abcdef") for token in handed)
    assert tokens() != Tokens()()
