"""A phone behind a real NAT: it registers, is called, hangs up, and is called again when the NAT would long have forgotten it."""

import time
from pathlib import Path

import pytest

from ringback.server.store import Store
from ringback.server.users import UserTable
from tests.interop.nat import FORGETS_AFTER, INSIDE, OUTSIDE, NatBetween
from tests.interop.running import Running
from tests.interop.server import PASSWORD, ringback
from tests.interop.wire import DOMAIN

LIMIT = 10.0


def accounts(folder: Path) -> Path:
    """A data folder with alice and bob in it."""
    store = Store(folder)
    for user in ("alice", "bob"):
        UserTable(store).add(user, DOMAIN, PASSWORD)
    store.close()
    return folder


def serve(nat: NatBetween, folder: Path, keepalive: float) -> Running:
    config = folder / "ringback.toml"
    config.write_text(f'domains = ["{DOMAIN}"]\nlisten = ["udp://{OUTSIDE}:5060"]\n[nat]\nkeepalive = {keepalive}\n')
    data = str(accounts(folder / "data"))
    return Running("the server", nat.outside(ringback("serve", "--config", str(config), "--data", data)), folder=folder)


def options(user: str, host: str, transport: str) -> list[str]:
    who = ["--user", f"{user}@{DOMAIN}", "--password", PASSWORD, "--proxy", f"sip:{OUTSIDE};transport={transport}"]
    return [*who, "--listen", f"{transport}://{host}:0"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_behind_a_nat_is_called_after_a_long_silence(tmp_path: Path, transport: str) -> None:
    with NatBetween() as nat, serve(nat, tmp_path, keepalive=1) as server:
        server.wait_for(f"{OUTSIDE}:5060")

        def call() -> None:
            command = nat.outside(ringback("call", f"sip:bob@{DOMAIN}", *options("alice", OUTSIDE, "udp"), "--ring-for", "3s"))
            with Running("the caller", command, folder=tmp_path) as calling:
                assert calling.wait(LIMIT) == 0, calling.account("did not reach bob") + "\n" + server.account("meanwhile")

        answer = nat.inside(ringback("answer", "--register", *options("bob", INSIDE, transport), "--hang-up-after", "200ms"))
        with Running("bob", answer, folder=tmp_path) as bob:
            bob.wait_for("registered")
            call()
            time.sleep(2 * FORGETS_AFTER)
            call()
            bob.end()
        assert server.end() == 0
