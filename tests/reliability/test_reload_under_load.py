"""The configuration is read again and again while messages pass, every other time with a file that cannot be used (T18, A18)."""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ringback.server.operation.control import ControlError, ask
from tests.interop.ports import free_port
from tests.interop.running import PATIENCE
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, request
from tests.reliability.numbered import Numbered
from tests.transport.tls.authority import Authority

_ROUTES = "def route(request):\n    return None\n"

GOOD = '[registrar]\nmax_contacts = {}\n[proxy]\nmax_branches = {}\n[access]\ntrusted = ["192.0.2.{}"]\n'
BROKEN = (
    "[registrar\n",
    "[registrar]\nmax_contacts = 0\n",
    "[registrar]\nmax_contacts = 'x'\n",
    "[registrar]\nmin_expires = 99999\n",
    "[registrar]\nmost_contacts = 7\n",
    "[proxy]\ntimer_c = 1\n",
    "[proxy]\nmax_branches = -1\n",
    "[proxie]\n",
    "a = \n",
    "aliases = 7\n",
    "domains = 'x'\ndomains = 'y'\n",
    '[access]\ntrusted = ["somewhere"]\n',
    "[access]\nalgorithms = []\n",
    '[log]\nlevel = "loud"\n',
    '[log]\nfile = "absent/log"\n',
    "[drain]\nseconds = -1\n",
    "[metrics]\nlisten = 9090\n",
    'routing = "absent.py"\n',
    "routing = 7\n",
    "[limits]\ntransactions = 0\n",
)
ROUTING = 'routing = "routes.py"\n'


@contextmanager
def connected(authority: Authority, port: int, name: str) -> Iterator[ssl.SSLSocket]:
    """A connection over TLS to a server that shows a certificate of this name."""
    context = ssl.create_default_context(cafile=authority.file)
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        context.wrap_socket(sock, server_hostname=name) as tls,
    ):
        yield tls


def is_answered(tls: ssl.SSLSocket) -> bool:
    """Whether OPTIONS gets its 200."""
    tls.sendall(request("OPTIONS", f"sip:{DOMAIN}", ("127.0.0.1", 5061), transport="TLS").encode())
    return tls.recv(65_536).startswith(b"SIP/2.0 200 OK\r\n")


def test_nothing_is_lost_while_the_configuration_is_read_again(tmp_path: Path, long_form: bool) -> None:
    reloads, rate = (100, 1_000) if long_form else (20, 400)
    file, routes = tmp_path / "ringback.toml", tmp_path / "routes.py"
    routes.write_text(_ROUTES)
    server = RunningServer(tmp_path, config=ROUTING + GOOD.format(10, 10, 1))
    authority = Authority(tmp_path)
    files = authority.issue("DNS:before.example", file="pbx")
    secured = free_port()
    server.command += ["--listen", f"tls://127.0.0.1:{secured}", "--tls-certificate", str(files.certificate), "--tls-key", str(files.key)]
    path = server.data / "control.sock"

    async def reload() -> str:
        """What is said against it, "" where nothing is."""
        try:
            await ask(path, "reload")
        except ControlError as error:
            return str(error)
        return ""

    async def reloading(numbered: Numbered, held: ssl.SSLSocket) -> None:
        resident = 0
        for number in range(reloads):
            broken = BROKEN[number % len(BROKEN)]
            file.write_text(broken if "routing" in broken else ROUTING + broken)
            assert await reload(), broken
            file.write_text(ROUTING + GOOD.format(5 + number % 7, 5 + number % 5, number % 250))
            routes.write_text("def route(request:\n")
            assert (await reload()).startswith(f"{routes}:1: ")
            routes.write_text(_ROUTES + "#" * number)
            authority.issue(f"DNS:n{number}.example", file="pbx")
            assert not await reload()
            assert is_answered(held), "a connection outlives certificates"
            # A few messages between two of them, whatever the machine's pace.
            enough = numbered.answered + 5
            async with asyncio.timeout(20):
                while numbered.answered < enough:
                    await asyncio.sleep(0.005)
            if number == reloads // 4:
                resident = server.resident()
        grown = server.resident() - resident
        print(f"reload: {numbered.answered} answered, resident memory grew by {grown / 1024:.0f} KiB in {reloads * 3 // 4} reloads")
        # Transactions of the last 32 s are still there, more of them than a quarter of the way.
        assert grown < (8 if long_form else 4) * 1024 * 1024

    server.start()
    try:
        with Numbered(server.address, rate) as numbered, connected(authority, secured, "before.example") as held:
            asyncio.run(reloading(numbered, held))
        with connected(authority, secured, f"n{reloads - 1}.example") as fresh:
            assert is_answered(fresh)
        assert numbered.faults == [], server.running.account("was reloaded")
        assert numbered.answered == numbered.sent
        assert numbered.sent > reloads * 5
        said = [line for line in server.running.said if "all stays as it was" in line]
        suppressed = [int(number) for line in said for number in re.findall(r"\((\d+) lines before this one", line)]
        assert len(said) + sum(suppressed) >= reloads * 2 * 0.9, "the operator was told, but not more than so often a second"
        descriptors = server.descriptors()
        assert descriptors < 40, "no reload leaves a file open"
        server.end()
    finally:
        server.running.stop()
