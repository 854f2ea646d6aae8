"""What `ringback serve` says once it listens: what is served, where, and what should worry the operator."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ringback.address import Endpoint, host_port

if TYPE_CHECKING:
    from ringback.server.config import Config
    from ringback.server.server import Server

_logger = logging.getLogger("ringback.server")


def announce(server: Server, metrics: str = "") -> None:
    """On a terminal's standard error in colours; where lines are JSON or go into a file, there. `metrics` is where they are read."""
    config = server.config
    rows = [
        ("listening", _listening(server.transports.endpoints)),
        ("domains", _domains(server)),
        ("data", str(config.data) if config.data is not None else "in memory only: a restart forgets who is registered"),
    ]
    if config.routing is not None:
        rows.append(("routing", str(config.routing)))
    if config.gateway:
        rows.append(("gateways", ", ".join(f"{name} ({len(table.trunks)})" for name, table in config.gateway.items())))
    if config.proxy.mode != "stateful":
        rows.append(("mode", config.proxy.mode))
    if server.tls.shown:
        rows.append(("tls", _certificates(server)))
    if config.trace.file is not None:
        rows.append(("trace", str(config.trace.file)))
    warnings = [("warning", text) for text in _tls_warnings(server)]
    if metrics:
        rows.append(("metrics", f"http://{metrics}/metrics"))
    if config.edge.registrar is not None:
        rows.append(("edge", f"all goes on to {config.edge.registrar}"))
    elif server.access is None:
        warnings.append(("warning", "no authentication: anybody may register as anybody, and call"))
    elif config.data is None:
        warnings.append(("warning", "nobody can register: users are kept in a data folder, and none is named"))
    elif not len(server.users):
        warnings.append(("users", f"none yet; make the first: {_first_user(config)}"))
    else:
        rows.append(("users", str(len(server.users))))
    if config.log.format == "json" or config.log.file is not None:
        _logger.info("version: %s", version("ringback"))
        for name, value in rows:
            _logger.info("%s: %s", name, value)
        for name, text in warnings:
            _logger.warning("%s: %s", name, text)
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(f"ringback {version('ringback')}", "bold"))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<10}", "dim"), value))
    for name, text in warnings:
        console.print(Text(f"  {name:<10}{text}", "yellow"))


def _domains(server: Server) -> str:
    modes = server.config.modes
    names = ", ".join(f"{name} ({modes[name]})" if name in modes else name for name in server.domains.names)
    if server.config.domains:
        return names
    return f"{names} (those of the users, for none was named)" if names else "every domain, for none was named"


def _certificates(server: Server) -> str:
    """Whom the certificates name and until when."""
    shown = (f"{', '.join(one.names) or 'nobody'} until {one.certificate.not_after:%Y-%m-%d}" for one in server.tls.shown)
    return "; ".join(shown)


def _tls_warnings(server: Server) -> Iterator[str]:
    """What will keep peers from connecting over TLS, or lets them be anybody."""
    if server.config.tls.can_accept and not any(endpoint.is_secure for endpoint in server.transports.endpoints):
        yield "there is a certificate, but nothing is listened on over TLS: add tls://0.0.0.0:5061 to listen"
    if server.tls.shown:
        for domain in server.config.domains:
            if not server.tls.names(domain):
                yield f"no certificate names {domain}: who looks at certificates will not connect to it over TLS"
        hosts = {endpoint.advertised for endpoint in server.transports.endpoints if endpoint.transport == "TLS"}
        for host in sorted(host for host in hosts if not server.tls.names(host)):
            yield f"no certificate names {host}, which dialogs are led back by: set advertise to a name of this server that one bears"
        if not server.config.tls.verify:
            yield "who is connected to over TLS is not verified: anybody may be it"


def _first_user(config: Config) -> str:
    """The command that makes an account in the data of this server, wherever it is typed."""
    from ringback.server.config import default_data_folder

    assert config.data is not None
    usual = default_data_folder({name: value for name, value in os.environ.items() if name != "STATE_DIRECTORY"})
    folder = "" if config.data == usual else f" --data {shlex.quote(str(config.data.absolute()))}"
    return f"ringback user add alice@{(config.domains or ['example.org'])[0]}{folder}"


def _listening(endpoints: list[Endpoint]) -> str:
    """`127.0.0.1:5060 udp tcp, …`: the transports of each address together."""
    places: dict[str, list[str]] = {}
    for endpoint in endpoints:
        places.setdefault(host_port(endpoint.host, endpoint.port), []).append(endpoint.transport.lower())
    return ", ".join(f"{place} {' '.join(transports)}" for place, transports in places.items())
