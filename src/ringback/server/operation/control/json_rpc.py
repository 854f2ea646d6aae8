"""JSON-RPC 2.0 (jsonrpc.org/specification): the octets of a request or a batch in, those of the answer out."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

PARSE_ERROR = -32_700
INVALID_REQUEST = -32_600
METHOD_NOT_FOUND = -32_601
INVALID_PARAMS = -32_602
INTERNAL_ERROR = -32_603
REFUSED = -32_000
"""The request was understood and cannot be done: the message says why."""

MOST_IN_BATCH = 100

Json: TypeAlias = Any

logger = logging.getLogger("ringback.control")


class RpcError(Exception):
    """What a request is answered instead of a result; `code` as the specification has it."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


class Method:
    """A function that may be called from outside: `name` is its own with hyphens, its parameters are checked by their annotations.

    Its first parameter is the subject, what all methods of one table act on. It may be a coroutine function. A module of such functions
    has no `from __future__ import annotations`: they are looked at here.
    """

    __slots__ = ("_function", "_names", "_params", "name")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__.rstrip("_").replace("_", "-")
        self._function = function
        parameters = list(inspect.signature(function).parameters.values())[1:]
        self._names = [one.name for one in parameters]
        fields = [(p.name, p.annotation) if p.default is p.empty else (p.name, p.annotation, p.default) for p in parameters]
        self._params = msgspec.defstruct("params", fields, forbid_unknown_fields=True, kw_only=True)

    async def call(self, subject: Any, params: list[Json] | dict[str, Json]) -> Json:
        """The function's result; raises `RpcError` where the parameters do not fit."""
        if isinstance(params, list):
            if len(params) > len(self._names):
                raise RpcError(f"{self.name} takes at most {len(self._names)} parameters, not {len(params)}", INVALID_PARAMS)
            params = dict(zip(self._names, params, strict=False))
        try:
            checked = msgspec.convert(params, self._params)
        except msgspec.ValidationError as error:
            raise RpcError(str(error).replace(" - at `$.", ": `").replace("Object ", ""), INVALID_PARAMS) from None
        result = self._function(subject, **msgspec.structs.asdict(checked))
        return await result if inspect.isawaitable(result) else result


def table(functions: Iterable[Callable[..., Any]]) -> dict[str, Method]:
    """Methods by their names."""
    return {method.name: method for method in map(Method, functions)}


async def answer(octets: bytes, methods: Mapping[str, Method], subject: Any) -> bytes | None:
    """What a request or a batch of requests is answered, on one line in ASCII; None where all of it were notifications."""
    try:
        message = msgspec.json.decode(octets)
    except (msgspec.DecodeError, RecursionError) as error:
        return _octets(failure(None, PARSE_ERROR, f"no valid JSON: {error}"))
    if not isinstance(message, list):
        answered = await _answer(message, methods, subject)
        return None if answered is None else _octets(answered)
    if not 0 < len(message) <= MOST_IN_BATCH:
        return _octets(failure(None, INVALID_REQUEST, f"a batch holds 1 to {MOST_IN_BATCH} requests"))
    answers = [answered for one in message if (answered := await _answer(one, methods, subject)) is not None]
    return _octets(answers) if answers else None


async def _answer(message: Json, methods: Mapping[str, Method], subject: Any) -> Json:
    """The answer to one request, None to a notification."""
    if not isinstance(message, dict):
        return failure(None, INVALID_REQUEST, "a request is an object")
    id_ = message.get("id")
    if isinstance(id_, bool) or not isinstance(id_, str | int | float | None):
        return failure(None, INVALID_REQUEST, "id must be a text, a number or null")
    name, params = message.get("method"), message.get("params", {})
    if message.get("jsonrpc") != "2.0":
        return failure(id_, INVALID_REQUEST, 'jsonrpc must be "2.0"')
    if not isinstance(name, str):
        return failure(id_, INVALID_REQUEST, "method must be a text")
    if not isinstance(params, list | dict):
        return failure(id_, INVALID_REQUEST, "params must be an object or a list")
    try:
        method = methods.get(name)
        if method is None:
            raise RpcError(f"no such method; there are {', '.join(methods)}", METHOD_NOT_FOUND)
        answered = {"jsonrpc": "2.0", "id": id_, "result": await method.call(subject, params)}
    except RpcError as error:
        answered = failure(id_, error.code, str(error))
    except Exception as error:
        # A fault of this program's own: the operator who asked hears of it, and so does the log.
        logger.exception("%s failed", name)
        answered = failure(id_, INTERNAL_ERROR, f"{type(error).__name__}: {error}")
    return answered if "id" in message else None


def failure(id_: Json, code: int, message: str) -> dict[str, Json]:
    """An error as it is answered."""
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": message}}


def _octets(answered: Json) -> bytes:
    # ASCII: octets of strangers that were not UTF-8 come out as escapes, and no line ends early.
    return json.dumps(answered, separators=(",", ":")).encode("ascii")
