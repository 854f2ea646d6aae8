"""Sets of features: Accept-Contact, Reject-Contact (RFC 3841), Feature-Caps (RFC 6809)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import Params, parse_params, render_params


class FeatureSet:
    """The features that follow a `*`, by lower-case tag; a quoted value keeps its quotes."""

    __slots__ = ("params",)

    def __init__(self, params: Params) -> None:
        self.params = params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        star, semicolon, rest = text.partition(";")
        if star.rstrip(" \t") != "*":
            raise SipParseError("'*' expected")
        return cls(parse_params(semicolon + rest))

    @property
    def is_required(self) -> bool:
        """Whether a contact that fails the predicate is to be dropped instead of moved back (RFC 3841 §9.2)."""
        return "require" in self.params

    @property
    def is_explicit(self) -> bool:
        """Whether a contact has to mention every feature asked for (RFC 3841 §9.2)."""
        return "explicit" in self.params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureSet) and self.params == other.params

    def __hash__(self) -> int:
        return hash(frozenset(self.params))

    def __str__(self) -> str:
        return f"*{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<FeatureSet {self}>"
