"""linphone, a phone that looks at certificates: it registers over TLS where it believes the server, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.interop.running import Running, patiently
from tests.interop.server import SecureServer
from tests.interop.wire import DOMAIN, Peer, unique
from tests.transport.tls.authority import Authority

_CONFIG = """
[sip]
sip_port=0
sip_tcp_port=0
sip_tls_port=-1
root_ca={roots}
verify_server_certs=1
verify_server_cn=1
default_proxy=0
[proxy_0]
reg_proxy=<sip:localhost:{port};transport=tls>
reg_identity=sip:{user}@{domain}
reg_expires=600
reg_sendregister=1
"""


def linphone(program: str, folder: Path, user: str, server: SecureServer, roots: Path) -> Running:
    """One with an account at the server, believing these roots."""
    (folder / ".local" / "share" / "linphone").mkdir(parents=True)
    config = folder / "config"
    config.write_text(_CONFIG.format(roots=roots, port=server.tls_port, user=user, domain=DOMAIN))
    return Running("linphonec", [program, "-c", str(config)], folder=folder, environment={"HOME": str(folder)})


def test_it_registers_over_tls(program: Callable[[str], str], secure: SecureServer, tmp_path: Path) -> None:
    user = unique()
    with linphone(program("linphonec"), tmp_path, user, secure, secure.authority.file), Peer(secure.address) as peer:
        patiently(lambda: "transport=tls" in peer.ask(peer.register(user, None)).field("Contact"), "it is registered")


def test_it_believes_nobody_else(program: Callable[[str], str], secure: SecureServer, tmp_path: Path) -> None:
    user, other = unique(), tmp_path / "other"
    other.mkdir()
    before = len(secure.running.said)
    with linphone(program("linphonec"), tmp_path, user, secure, Authority(other, "root").file), Peer(secure.address) as peer:
        told = "refused: it does not trust the issuer of our certificate"
        patiently(lambda: any(told in line for line in secure.running.said[before:]), "that is told")
        assert not peer.ask(peer.register(user, None)).field("Contact")
