"""The real server and its peers, for every interop test."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.ports import has_ipv6
from tests.interop.running import PATIENCE
from tests.interop.server import PASSWORD, RunningServer, SecureServer, ringback
from tests.interop.wire import DOMAIN

_ROUTES = """
def route(request):
    if request.uri.user == "impatient":
        return Forward(*location.lookup(request.uri), ring_for=1)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningServer]]:
    """`servers("::1")` is a server at that address, the same one for all tests of a file."""
    started: dict[str, RunningServer] = {}

    def at(host: str) -> RunningServer:
        if ":" in host and not has_ipv6():
            pytest.skip("this machine has no IPv6")
        if host not in started:
            folder = tmp_path_factory.mktemp("server")
            (folder / "routes.py").write_text(_ROUTES)
            started[host] = RunningServer(folder, host=host, config='routing = "routes.py"\n')
            started[host].__enter__()
        return started[host]

    yield at
    for server in started.values():
        server.__exit__(None, None, None)


@pytest.fixture
def server(servers: Callable[[str], RunningServer]) -> RunningServer:
    """The server at 127.0.0.1."""
    return servers("127.0.0.1")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningServer]:
    """A server where alice and bob have accounts, made by its own command."""
    server = RunningServer(tmp_path, config='[access]\nalgorithms = ["MD5"]\n[log]\nsecurity = "security.log"\n')
    server.command[server.command.index("none")] = "digest"
    # sipsak registers only at a domain that it can resolve.
    server.command += ["--domain", "127.0.0.1"]
    for address in (f"alice@{DOMAIN}", f"bob@{DOMAIN}", "alice@127.0.0.1"):
        command = ringback("user", "add", address, "--data", str(server.data), "--password-stdin")
        subprocess.run(command, input=PASSWORD, text=True, check=True, timeout=PATIENCE, capture_output=True)
    with server:
        yield server


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """One that listens over TLS as well."""
    with SecureServer(tmp_path_factory.mktemp("secure")) as server:
        yield server
