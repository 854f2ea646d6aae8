"""Identity: a signed statement about who calls, and where its certificate lies (RFC 8224 §4)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import Params, parse_params, render_params, split_params, unquote

_is_digest = re.compile(r"[A-Za-z0-9/+._=\-]++").fullmatch
_is_info = re.compile(r"info[ \t]*+=[ \t]*+<([^<> \t\"]++)>", re.IGNORECASE | re.ASCII).fullmatch


class Identity:
    """A PASSporT token (`digest`), the URI of the credential it was signed with (`info`), and parameters.

    `info` is None in the form of RFC 4474, which RFC 4475 §3.1.1.11 still shows: there a field of its own held it.
    """

    __slots__ = ("digest", "info", "params")

    def __init__(self, digest: str, info: str | None, params: Params | None = None) -> None:
        self.digest = digest
        self.info = info
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        digest, *parts = split_params(text)
        # base64url and "=" belong to PASSporT (RFC 8225) though RFC 8224's grammar names neither
        if _is_digest(digest) is None:
            raise SipParseError("malformed identity digest")
        infos = [found[1] for found in map(_is_info, parts) if found]
        if len(infos) > 1:
            raise SipParseError("parameter given twice")
        rest = [part for part in parts if _is_info(part) is None]
        return cls(digest, infos[0] if infos else None, parse_params("".join([f";{part}" for part in rest])))

    @property
    def algorithm(self) -> str | None:
        """The signature's algorithm, None where it is the default ES256."""
        return self.params.get("alg")

    @property
    def passport_type(self) -> str | None:
        """The PASSporT's extension type; None where there is none."""
        value = self.params.get("ppt")
        return None if value is None else unquote(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        info = "" if self.info is None else f";info=<{self.info}>"
        return f"{self.digest}{info}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<Identity {self.info}>"
