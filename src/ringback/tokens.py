"""Unpredictable text for branches and tags (RFC 3261 §8.1.1.7, §19.3: at least 32 random bits; here 64)."""

import secrets

_CHUNK = 512
_LENGTH = 16


class Tokens:
    """Hands out 16 hexadecimal digits at a time from the system's generator, which is asked for many at once."""

    __slots__ = ("_position", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._position = 0

    def __call__(self) -> str:
        position = self._position
        if position >= len(self._text):
            self._text = secrets.token_hex(_CHUNK * _LENGTH // 2)
            position = 0
        self._position = position + _LENGTH
        return self._text[position : position + _LENGTH]
