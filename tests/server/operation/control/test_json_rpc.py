"""JSON-RPC 2.0, by the examples of its specification (§7) and by what a careless or hostile client sends."""

import asyncio
import json
from typing import Any

import pytest

from ringback.server.operation.control import json_rpc
from ringback.server.operation.control.json_rpc import MOST_IN_BATCH, RpcError, answer, table

heard: list[str] = []


def subtract(_: object, minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


def update(_: object, a: int = 0, b: int = 0) -> None:
    heard.append(f"update {a} {b}")


async def get_data(_: object) -> list[Any]:
    await asyncio.sleep(0)
    return ["hello", 5]


def refuse(_: object) -> None:
    raise RpcError("not today")


def break_(_: object) -> None:
    raise ZeroDivisionError("division by zero")


METHODS = table([subtract, update, get_data, refuse, break_])


def said(message: object) -> Any:
    octets = message if isinstance(message, bytes) else json.dumps(message).encode()
    answered = asyncio.run(answer(octets, METHODS, None))
    assert answered is None or b"\n" not in answered
    return None if answered is None else json.loads(answered)


def request(method: str, params: object = None, **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), **more}


@pytest.mark.parametrize("params", [[42, 23], {"subtrahend": 23, "minuend": 42}])
def test_parameters_go_by_position_or_by_name(params: object) -> None:
    assert said(request("subtract", params, id=3)) == {"jsonrpc": "2.0", "result": 19, "id": 3}


def test_a_name_has_hyphens_where_its_function_has_underscores_and_may_be_a_coroutine() -> None:
    assert said(request("get-data", id="9")) == {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}


def test_a_notification_is_done_and_not_answered() -> None:
    heard.clear()
    assert said(request("update", [1, 2])) is None
    assert said(request("no-such")) is None
    assert said(request("subtract", [1])) is None
    assert heard == ["update 1 2"]


def test_an_id_may_be_null() -> None:
    assert said(request("update", id=None)) == {"jsonrpc": "2.0", "result": None, "id": None}


@pytest.mark.parametrize(
    ("message", "code", "id_", "text"),
    [
        (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700, None, "no valid JSON"),
        (b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"', -32700, None, "no valid"),
        (b"\xff\xfe", -32700, None, "no valid JSON"),
        (b"[" * 100_000, -32700, None, "no valid JSON"),
        (b"1" * 10_000, -32700, None, "no valid JSON"),
        ([], -32600, None, "a batch holds 1 to 100 requests"),
        ([1] * (MOST_IN_BATCH + 1), -32600, None, "a batch holds 1 to 100 requests"),
        (1, -32600, None, "a request is an object"),
        ({"method": "update", "id": 1}, -32600, 1, 'jsonrpc must be "2.0"'),
        ({"jsonrpc": "1.0", "method": "update", "id": 1}, -32600, 1, 'jsonrpc must be "2.0"'),
        ({"jsonrpc": "2.0", "method": 1, "id": 1}, -32600, 1, "method must be a text"),
        (request("update", "bar", id=1), -32600, 1, "params must be an object or a list"),
        (request("update", id=[1]), -32600, None, "id must be"),
        (request("update", id=True), -32600, None, "id must be"),
        (request("foobar", id="1"), -32601, "1", "no such method; there are subtract, update, get-data, refuse, break"),
        (request("subtract", [1, 2, 3], id=1), -32602, 1, "subtract takes at most 2 parameters, not 3"),
        (request("subtract", [1], id=1), -32602, 1, "missing required field `subtrahend`"),
        (request("subtract", {"minuend": 1, "subtrahend": "2"}, id=1), -32602, 1, "Expected `int`, got `str`: `subtrahend`"),
        (request("update", {"c": 1}, id=1), -32602, 1, "contains unknown field `c`"),
        (request("refuse", id=1), -32000, 1, "not today"),
    ],
)
def test_what_cannot_be_answered_is_told_why(message: object, code: int, id_: object, text: str) -> None:
    answered = said(message)
    assert (answered["jsonrpc"], answered["error"]["code"], answered["id"]) == ("2.0", code, id_)
    assert text in answered["error"]["message"]


def test_a_fault_of_our_own_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert said(request("break", id=1))["error"] == {"code": json_rpc.INTERNAL_ERROR, "message": "ZeroDivisionError: division by zero"}
    assert "break failed" in caplog.text


def test_a_batch_is_answered_as_one_without_its_notifications() -> None:
    heard.clear()
    batch = [request("subtract", [42, 23], id="2"), request("update", [7]), {"foo": "boo"}, request("foobar", id="5"), 1]
    answered = said(batch)
    assert [(one["id"], one.get("result"), one.get("error", {}).get("code")) for one in answered] == [
        ("2", 19, None),
        (None, None, -32600),
        ("5", None, -32601),
        (None, None, -32600),
    ]
    assert heard == ["update 7 0"]
    assert said([request("update"), request("update")]) is None


def test_octets_of_strangers_that_were_not_utf_8_are_answered_all_the_same() -> None:
    methods = table([echo])
    answered = asyncio.run(answer(json.dumps(request("echo", id=1)).encode(), methods, None))
    assert answered is not None
    assert answered.isascii()
    assert json.loads(answered)["result"] == "\udcff\u2028"


def echo(_: object) -> str:
    return "\udcff\u2028"
