"""Real peers over TLS: baresip registers, calls and is called; sipp calls through a tunnel, for Debian's knows no TLS."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from tests.interop.baresip import Phone
from tests.interop.ports import free_port
from tests.interop.server import SecureServer
from tests.interop.sipp import Sipp
from tests.interop.wire import unique

MakePhone = Callable[..., Phone]


@pytest.fixture
def phone(program: Callable[[str], str], secure: SecureServer, tmp_path: Path) -> Iterator[MakePhone]:
    """`phone("tls")` is a phone that has registered over TLS."""
    with ExitStack() as stack:

        def make(transport: str) -> Phone:
            user = unique()
            made = Phone(
                program("baresip"),
                tmp_path / user,
                user,
                secure.address,
                transport=transport,
                port=secure.tls_port if transport == "tls" else 0,
                more=f"sip_cafile {secure.authority.file}",
            )
            return stack.enter_context(made).ready()

        yield make


@pytest.mark.parametrize(("caller", "callee"), [("tls", "tls"), ("tls", "udp"), ("udp", "tls"), ("tls", "tcp")])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_answered_and_ended_by_either(phone: MakePhone, caller: str, callee: str, who: str) -> None:
    alice, bob = phone(caller), phone(callee)
    alice.say("dial", bob.uri)
    call = bob.rings()
    alice.expect("CALL_RINGING", call)
    bob.say("accept")
    alice.expect("CALL_ESTABLISHED", call)
    bob.expect("CALL_ESTABLISHED", call)
    (alice if who == "caller" else bob).say("hangup")
    for each in (alice, bob):
        each.closing(call)


class Tunnel:
    """TLS for who knows none: each connection to `here` is one to the server."""

    def __init__(self, server: SecureServer) -> None:
        self.here = ("127.0.0.1", free_port())
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def _open(self) -> None:
        self._listening = await asyncio.start_server(self._connected, *self.here)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = ssl.create_default_context(cafile=self._server.authority.file)
        theirs = await asyncio.open_connection("127.0.0.1", self._server.tls_port, ssl=context, server_hostname="example.test")
        await asyncio.gather(_pass(reader, theirs[1]), _pass(theirs[0], writer), return_exceptions=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def test_a_hundred_calls_of_sipp_over_tls(program: Callable[[str], str], secure: SecureServer, tmp_path: Path) -> None:
    sipp, user, port = program("sipp"), unique(), free_port()
    common = {"folder": tmp_path, "user": user}
    with ExitStack() as stack:
        tunnel = stack.enter_context(Tunnel(secure))

        def run(scenario: str, here: int, server: tuple[str, int], **more: object) -> Sipp:
            return stack.enter_context(Sipp(sipp, scenario, here=("127.0.0.1", here), server=server, **common, **more))  # type: ignore[arg-type]

        run("register", port, secure.address).finish()
        called = run("answer", port, secure.address, calls=100).wait_until_it_listens()
        caller = run("call", free_port(), tunnel.here, transport="tcp", calls=100, rate=100)
        caller.finish()
        called.finish()
        assert f"<sip:127.0.0.1:{secure.tls_port};transport=tls" in caller.heard(), "the dialog goes through TLS"
