"""Names of a dialog in another one's request: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538)."""

from typing import ClassVar, Self

from ringback.message.errors import SipParseError
from ringback.message.fields.token import parse_call_id
from ringback.message.grammar import MAX_IDENTIFIER, Params, is_token, parse_params, render_params


class DialogId:
    """A Call-ID and two tags, which all three kinds require."""

    __slots__ = ("call_id", "params")

    _tags: ClassVar[tuple[str, str]] = ("to-tag", "from-tag")

    def __init__(self, call_id: str, params: Params) -> None:
        self.call_id = call_id
        self.params = params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError, also where a tag is missing."""
        call_id, semicolon, rest = text.partition(";")
        params = parse_params(semicolon + rest)
        for name in cls._tags:
            tag = params.get(name)
            if tag is None or len(tag) > MAX_IDENTIFIER or not is_token(tag):
                raise SipParseError(f"missing or malformed {name}")
        return cls(parse_call_id(call_id.rstrip(" \t")), params)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.call_id == other.call_id and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.call_id)

    def __str__(self) -> str:
        return f"{self.call_id}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class Join(DialogId):
    """The dialog whose conversation a new INVITE joins, its tags as the receiver of the INVITE sees them."""

    __slots__ = ()

    @property
    def to_tag(self) -> str:
        """The receiver's own tag."""
        return self.params["to-tag"] or ""

    @property
    def from_tag(self) -> str:
        """Its peer's tag."""
        return self.params["from-tag"] or ""


class Replaces(Join):
    """The dialog that a new INVITE takes the place of."""

    __slots__ = ()

    @property
    def early_only(self) -> bool:
        """Whether only a dialog not yet answered may be replaced."""
        return "early-only" in self.params


class TargetDialog(DialogId):
    """The dialog that a request outside it belongs to, its tags as the receiver of the request sees them."""

    __slots__ = ()

    _tags = ("local-tag", "remote-tag")

    @property
    def local_tag(self) -> str:
        """The receiver's own tag."""
        return self.params["local-tag"] or ""

    @property
    def remote_tag(self) -> str:
        """Its peer's tag."""
        return self.params["remote-tag"] or ""
