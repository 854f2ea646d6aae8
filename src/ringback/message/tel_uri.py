"""The tel URI: a telephone number, global or local to a context (RFC 3966)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, MAX_URI, Params, ascii_lower, ascii_upper, unescape

# global-number-digits = "+" *phonedigit DIGIT *phonedigit ; phonedigit-hex adds A–F * #
_number = re.compile(r"\+[0-9\-.()]++|[0-9A-Fa-f*#\-.()]++").fullmatch
# parameter = ";" pname ["=" pvalue ]; isub may hold any uric, so its set is the wider one
_param = re.compile(r"([A-Za-z0-9\-]++)(?>(?:=([A-Za-z0-9\-_.!~*'()%\[\]/:&+$@?,]++))?)").fullmatch
_bad_escape = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_domain = re.compile(r"[A-Za-z0-9\-]++(?>(?:\.[A-Za-z0-9\-]++)*)\.?+").fullmatch
_global = re.compile(r"\+[0-9\-.()]*+").fullmatch
_SEPARATORS = str.maketrans("", "", "-.()")


class TelUri:
    """A tel URI. `number` is as written, with a leading "+" where it is global; `params` maps lower-case names to values as written."""

    __slots__ = ("number", "params")

    scheme = "tel"

    def __init__(self, number: str, params: Params | None = None) -> None:
        """A number that is not global needs `phone-context` among its parameters (§5.1.5)."""
        self.number = number
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URI that `text` is; raises SipParseError."""
        if len(text) > MAX_URI:
            raise SipParseError("URI too long")
        if ascii_lower(text[:4]) != "tel:":
            raise SipParseError("not a tel URI")
        number, *parts = text[4:].split(";")
        if _number(number) is None or not number.translate(_SEPARATORS).strip("+"):
            raise SipParseError("malformed telephone number")
        if len(parts) > MAX_PARAMS:
            raise SipParseError("too many URI parameters")
        params: Params = {}
        for part in parts:
            found = _param(part)
            if found is None or _bad_escape(part):
                raise SipParseError("malformed tel URI parameter")
            params[ascii_lower(found[1])] = found[2]
        if len(params) != len(parts):
            raise SipParseError("URI parameter given twice")
        context = params.get("phone-context")
        if "phone-context" in params and (context is None or not (_domain(context) or _is_global(context))):
            raise SipParseError("malformed phone-context")
        if number[0] != "+" and context is None:
            raise SipParseError("local number without phone-context")
        return cls(number, params)

    @property
    def is_global(self) -> bool:
        """Whether the number means the same everywhere."""
        return self.number[0] == "+"

    @property
    def digits(self) -> str:
        """The number without visual separators (§5.1.1), as it is dialled and compared."""
        return ascii_upper(self.number.translate(_SEPARATORS))

    @property
    def phone_context(self) -> str | None:
        """Where a local number is valid: a domain name or the leading digits of a global number (§5.1.5)."""
        return self.params.get("phone-context")

    def matches(self, other: object) -> bool:
        """Whether both URIs are equivalent by §4: separators, case and the order of parameters aside."""
        return isinstance(other, TelUri) and _normal(self) == _normal(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TelUri) and self.number == other.number and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.number)

    def __str__(self) -> str:
        return f"tel:{self.number}" + "".join([f";{n}" if v is None else f";{n}={v}" for n, v in self.params.items()])

    def __repr__(self) -> str:
        return f"<TelUri {self}>"


def _normal(uri: TelUri) -> tuple[str, Params]:
    return uri.digits, {name: _normal_value(name, value) for name, value in uri.params.items()}


def _is_global(text: str) -> bool:
    return _global(text) is not None and bool(text.translate(_SEPARATORS).strip("+"))


def _normal_value(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if name == "ext" or (name == "phone-context" and value[0] == "+"):
        value = value.translate(_SEPARATORS)
    elif name == "phone-context":
        value = value.removesuffix(".")
    return ascii_lower(unescape(value))
