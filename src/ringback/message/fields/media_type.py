"""Media types and ranges: Content-Type and Accept (RFC 3261 §20.1, §20.15)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.token_value import parse_qvalue
from ringback.message.grammar import Params, ascii_lower, is_token, parse_params, render_params, unquote


class MediaType:
    """A type and subtype in lower case with parameters; in Accept either may be `*`."""

    __slots__ = ("params", "subtype", "type")

    def __init__(self, type_: str, subtype: str, params: Params | None = None) -> None:
        self.type = ascii_lower(type_)
        self.subtype = ascii_lower(subtype)
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The media type that `text` is; raises SipParseError."""
        value, semicolon, rest = text.partition(";")
        type_, slash, subtype = value.partition("/")
        type_, subtype = type_.rstrip(" \t"), subtype.strip(" \t")
        if not (slash and is_token(type_) and is_token(subtype)) or (type_ == "*" and subtype != "*"):
            raise SipParseError("malformed media type")
        return cls(type_, subtype, parse_params(semicolon + rest))

    @property
    def essence(self) -> str:
        """`type/subtype`, without parameters."""
        return f"{self.type}/{self.subtype}"

    @property
    def q(self) -> float:
        """The preference in Accept, 1 where none is given; raises SipParseError where it is malformed."""
        return parse_qvalue(self.params["q"]) if "q" in self.params else 1.0

    def param(self, name: str) -> str | None:
        """A parameter's value without quotes and escapes; None where it is absent or has none."""
        value = self.params.get(name)
        return None if value is None else unquote(value)

    def includes(self, other: "MediaType") -> bool:
        """Whether this range takes the other type, parameters aside."""
        return self.type in ("*", other.type) and self.subtype in ("*", other.subtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaType) and self.essence == other.essence and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.essence)

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<MediaType {self}>"
