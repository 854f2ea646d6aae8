"""The control socket: who may use it, what is left over, who says too much or reads too slowly."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from ringback.server.config import Config, ControlConfig
from ringback.server.operation.control import ControlError, NoServer, ask, control, socket_path
from ringback.server.operation.control.control import MOST_CONNECTIONS, MOST_OCTETS, Control
from ringback.server.operation.control.json_rpc import RpcError, table


def greet(subject: str, name: str = "nobody") -> str:
    return f"{subject} greets {name}"


def much(_: str) -> str:
    return "x" * 8_000_000


def refuse(_: str) -> None:
    raise RpcError("no")


METHODS = table([greet, much, refuse])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_where_it_is(tmp_path: Path) -> None:
    assert socket_path(Config(data=tmp_path)) == tmp_path / "control.sock"
    assert socket_path(Config()) is None, "what keeps nothing has no folder for it"
    assert socket_path(Config(control=ControlConfig(socket=tmp_path / "here"))) == tmp_path / "here"
    assert socket_path(Config(data=tmp_path, control=ControlConfig(enabled=False))) is None


async def opened(path: Path) -> Control:
    server = Control(path, METHODS, "the server")
    await server.open()
    return server


def test_only_its_owner_may_use_it_and_it_goes_with_the_server(path: Path) -> None:
    async def story() -> None:
        server = await opened(path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert await ask(path, "greet", name="ann") == "the server greets ann"
        with pytest.raises(ControlError, match="no") as refused:
            await ask(path, "refuse")
        assert refused.value.code == -32000
        await server.close()
        with pytest.raises(NoServer, match="no server runs there"):
            await ask(path, "greet")

    asyncio.run(story())
    assert not path.exists()


def test_a_second_server_is_refused_and_a_dead_ones_socket_replaced(path: Path) -> None:
    async def story() -> None:
        first = await opened(path)
        with pytest.raises(OSError, match="another server answers there") as refused:
            await opened(path)
        assert refused.value.filename == str(path)
        assert await ask(path, "greet") == "the server greets nobody"
        # As after kill -9: the socket stays, and nobody listens.
        os.rename(path, path.with_suffix(".kept"))
        await first.close()
        os.rename(path.with_suffix(".kept"), path)
        with pytest.raises(NoServer, match="no server runs there"):
            await ask(path, "greet")
        second = await opened(path)
        assert await ask(path, "greet") == "the server greets nobody"
        await second.close()

    asyncio.run(story())


def test_the_socket_of_a_successor_is_left_alone(path: Path) -> None:
    async def story() -> None:
        first = await opened(path)
        os.unlink(path)
        second = await opened(path)
        await first.close()
        assert await ask(path, "greet") == "the server greets nobody"
        await second.close()

    asyncio.run(story())


def test_what_is_no_socket_is_not_replaced(path: Path) -> None:
    path.write_text("precious")

    async def story() -> None:
        with pytest.raises(OSError, match="in use") as refused:
            await opened(path)
        assert refused.value.filename == str(path)
        with pytest.raises(OSError, match="No such file") as refused:
            await opened(path.parent / "absent" / "s")
        with pytest.raises(NoServer):
            await ask(path, "greet")

    asyncio.run(story())
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"longer than the 103 octets .* \[control\] socket"):
        asyncio.run(opened(tmp_path / ("a" * 104)))


async def exchange(path: Path, octets: bytes, *, ends: bool = True) -> bytes:
    """What comes back to these octets until the server hangs up."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 25)
    writer.write(octets)
    if ends:
        writer.write_eof()
    answered = await reader.read()
    writer.close()
    return answered


GREET = json.dumps({"jsonrpc": "2.0", "method": "greet", "id": 1}).encode()


def test_messages_are_lines_and_the_last_one_may_lack_its_end(path: Path) -> None:
    async def story() -> None:
        server = await opened(path)
        answered = await exchange(path, GREET + b"\r\n\n  \n" + GREET)
        assert [json.loads(line)["result"] for line in answered.splitlines()] == ["the server greets nobody"] * 2
        assert await exchange(path, b"") == b""
        await server.close()

    asyncio.run(story())


def test_who_says_too_much_is_told_so_and_hung_up_on(path: Path) -> None:
    async def story() -> None:
        server = await opened(path)
        answered = json.loads(await exchange(path, b"x" * (MOST_OCTETS + 100_000), ends=False))
        assert answered["error"]["code"] == -32600
        assert "at most" in answered["error"]["message"]
        assert await ask(path, "greet")
        await server.close()

    asyncio.run(story())


def test_who_says_nothing_or_reads_nothing_is_hung_up_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.1)

    async def story() -> None:
        server = await opened(path)
        assert await exchange(path, b'{"jsonrpc"', ends=False) == b""
        reader, writer = await asyncio.open_unix_connection(path, limit=1)
        writer.write(GREET.replace(b"greet", b"much") + b"\n" + GREET + b"\n")
        async with asyncio.timeout(10):
            while server.connections:
                await asyncio.sleep(0.01)
        assert await ask(path, "greet")
        writer.close()
        del reader
        await server.close()

    asyncio.run(story())


def test_there_are_only_so_many_at_a_time(path: Path) -> None:
    async def story() -> None:
        server = await opened(path)
        held = [await asyncio.open_unix_connection(path) for _ in range(MOST_CONNECTIONS)]
        async with asyncio.timeout(10):
            while server.connections < MOST_CONNECTIONS:
                await asyncio.sleep(0.01)
        with pytest.raises(NoServer):
            await ask(path, "greet")
        held.pop()[1].close()
        async with asyncio.timeout(10):
            while server.connections == MOST_CONNECTIONS:
                await asyncio.sleep(0.01)
        assert await ask(path, "greet")
        await server.close()
        for _, writer in held:
            writer.close()

    asyncio.run(story())
