"""fail2ban's own filter `asterisk`, as Debian ships it, reads the server's security log: it sees the attackers and nobody else."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.interop.running import PATIENCE
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, Peer, request

FILTER = Path("/etc/fail2ban/filter.d/asterisk.conf")


def banned(program: str, log: Path) -> list[str]:
    """The addresses that fail2ban finds in a log, one for each line."""
    command = [program, "--out", "ip", str(log), str(FILTER)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.split()


def test_it_bans_who_guesses_passwords_and_nobody_else(program: Callable[[str], str], guarded: RunningServer, tmp_path: Path) -> None:
    path = program("fail2ban-regex")
    credentials = 'Authorization: Digest username="{}", realm="{}", nonce="n", uri="sip:{}", response="{}", algorithm=MD5'
    with Peer(guarded.address, "127.0.0.66") as eve, Peer(guarded.address, "127.0.0.2") as alice:
        assert alice.ask(alice.register("alice", alice.contact("alice"))).status == 401
        for user in ("alice", "nobody", 'x\\",RemoteAddress=\\"IPV4/UDP/127.0.0.2/5060\\",Y=\\"'):
            guess = credentials.format(user, DOMAIN, DOMAIN, "0" * 32)
            asked = request("REGISTER", f"sip:{DOMAIN}", eve.here, guess, to=f"sip:alice@{DOMAIN}")
            assert eve.ask(asked).status == 401
        stranger = request("MESSAGE", f"sip:bob@{DOMAIN}", eve.here).replace(f"<sip:tester@{DOMAIN}>", "<sip:eve@elsewhere.example>")
        assert eve.ask(stranger).status == 403
    assert banned(path, tmp_path / "security.log") == ["127.0.0.66"] * 4
