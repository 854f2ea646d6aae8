"""A token with parameters: Content-Disposition, Accept-Encoding, Info-Package, and the form that Event, Reason … are built on."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import Params, ascii_lower, is_token, parse_params, parse_uint, render_params, unquote

# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
_is_qvalue = re.compile(r"0(?>(?:\.[0-9]{0,3}+)?)|1(?>(?:\.0{0,3}+)?)").fullmatch


def parse_qvalue(text: str | None) -> float:
    """A preference from 0 to 1 with at most three decimals; raises SipParseError."""
    if text is None or _is_qvalue(text) is None:
        raise SipParseError("malformed q")
    whole, _, decimals = text.partition(".")
    return parse_uint(f"{whole}{decimals:0<3}", 1000) / 1000


class TokenValue:
    """A token and parameters by lower-case name (None for a name alone, a quoted value keeps its quotes)."""

    __slots__ = ("params", "value")

    def __init__(self, value: str, params: Params | None = None) -> None:
        self.value = value
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        value, semicolon, rest = text.partition(";")
        value = value.rstrip(" \t")
        cls._check(value)
        return cls(value, parse_params(semicolon + rest))

    @classmethod
    def _check(cls, value: str) -> None:
        """Raises SipParseError where what precedes the parameters is not of this kind."""
        if not is_token(value):
            raise SipParseError("not a token")

    def param(self, name: str) -> str | None:
        """A parameter's value without quotes and escapes; None where it is absent or has none."""
        value = self.params.get(name)
        return None if value is None else unquote(value)

    @property
    def q(self) -> float:
        """The preference in Accept-Encoding and Accept-Language, 1 where none is given (§20.2); raises SipParseError where malformed."""
        return parse_qvalue(self.params["q"]) if "q" in self.params else 1.0

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and ascii_lower(self.value) == ascii_lower(other.value) and self.params == other.params

    def __hash__(self) -> int:
        return hash(ascii_lower(self.value))

    def __str__(self) -> str:
        return f"{self.value}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class ContentDisposition(TokenValue):
    """What a body is for: "session", "render" … (§20.11)."""

    __slots__ = ()

    @property
    def is_required(self) -> bool:
        """Whether a receiver that does not understand the body must refuse the message; so it is unless `handling=optional` is said."""
        return ascii_lower(self.param("handling") or "required") != "optional"
