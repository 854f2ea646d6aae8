"""`ringback serve`: registrar, location service and proxy until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from ringback.cli import systemd
from ringback.cli.announcement import announce
from ringback.cli.fault import Fault, os_fault
from ringback.collector import calmed
from ringback.trace.json_lines import JsonLines
from ringback.trace.live import LiveLadder
from ringback.trace.pcap import Pcap
from ringback.trace.trace import Sink, Trace

if TYPE_CHECKING:
    from ringback.server.config import Config
    from ringback.server.operation.drain import Drain
    from ringback.server.server import Server


_logger = logging.getLogger("ringback.server")


def _print_example(context: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        from ringback.server.config.file import example_config

        click.echo(example_config(), nl=False)
        context.exit()


@click.command(short_help="Run a SIP server.")
@click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="A TOML file; the options below are put over it.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="DOMAIN",
    help="A domain whose users are here; may be repeated.  [default: the users' own]",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="URI",
    help="udp://ADDRESS:PORT, tcp://…, tls://…, ws://… or wss://…; may be repeated.  [default: udp://0.0.0.0:5060]",
)
@click.option("--data", metavar="FOLDER", help="What must survive a restart; :memory: keeps nothing.  [default: ~/.local/share/ringback]")
@click.option("--auth", metavar="none|digest", help="Who may register and call: users with a password, or everybody.  [default: digest]")
@click.option(
    "--tls-certificate",
    metavar="FILE",
    help="A certificate in PEM: TLS is listened on, too, on port 5061 unless --listen says otherwise.",
)
@click.option("--tls-key", metavar="FILE", help="Its private key, if not in the same file.")
@click.option("--trace", "ladder", is_flag=True, help="Print every message as a line of a ladder diagram.")
@click.option("--trace-file", metavar="FILE", help="Keep every message: .pcap for Wireshark, .json one object a line.")
@click.option(
    "--example-config",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_example,
    help="Print a configuration file with every key explained.",
)
def serve(
    file: Path | None,
    domains: tuple[str, ...],
    listen: tuple[str, ...],
    data: str | None,
    auth: str | None,
    tls_certificate: str | None,
    tls_key: str | None,
    ladder: bool,
    trace_file: str | None,
) -> None:
    """Run a SIP server: users register, call each other and are called.

    Users are made with `ringback user add`. SIGTERM and SIGINT end it once what is under way is done (a second one: at once); SIGHUP reads
    users, certificates and routing file again.
    """  # fmt: skip
    from ringback.server.config import ConfigError
    from ringback.server.config.file import read_config
    from ringback.server.operation import logs

    options: dict[str, Any] = {"domains": list(domains), "listen": list(listen), "data": data, "auth": auth}
    trace = {"ladder": ladder, "file": trace_file}
    tls = {"certificate": tls_certificate, "key": tls_key}
    options["tls"] = {key: value for key, value in tls.items() if value}
    options["trace"] = {key: value for key, value in trace.items() if value}
    reread = partial(read_config, file, {key: value for key, value in options.items() if value})
    try:
        config = reread()
    except ConfigError as error:
        raise Fault(str(error)) from None
    try:
        logs.prepare(config.log)()
    except OSError as error:
        raise Fault(os_fault(error)) from None
    try:
        observer = _trace(config)
        try:
            asyncio.run(_run(config, observer, reread))
        finally:
            if observer is not None:
                observer.close()
    finally:
        logs.close()


async def _run(config: Config, observer: Trace | None, reread: Callable[[], Config]) -> None:
    from ringback.server.operation.operation import Operation
    from ringback.server.operator_file import OperatorFileError
    from ringback.server.server import Server
    from ringback.server.store import StoreError
    from ringback.transport.tls import TlsError

    at_once = asyncio.Event()

    def stop() -> None:
        (at_once if server.leaving.is_set() else server.leaving).set()

    server = Server(config, observer=observer, report=_logger.warning, reread=reread)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    # Until it has started there is nothing to read again, and SIGHUP would kill it.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    try:
        await server.start()
    except (OperatorFileError, StoreError, TlsError) as error:
        raise Fault(str(error)) from None
    except OSError as error:
        raise Fault(os_fault(error)) from None
    try:
        async with Operation(server, _logger.warning) as operation:
            loop.add_signal_handler(signal.SIGHUP, _reload, server)
            with calmed():
                announce(server, operation.metrics.place if operation.metrics is not None else "")
                systemd.notify(systemd.READY)
                systemd.keep_alive()
                await _drained(server.leave, at_once)
    except OSError as error:
        raise Fault(os_fault(error)) from None
    finally:
        await server.close()


async def _drained(leave: Drain, at_once: asyncio.Event) -> None:
    """Returns when the server was made to end and all is done, or `at_once`."""
    while True:
        await leave.leaving.wait()
        leave.begin()
        systemd.notify(systemd.STOPPING)
        seconds = max(leave.config.seconds, leave.config.calls_seconds)
        _say(f"ending: what is under way may take {seconds:g} s; a second signal ends at once")
        tasks = [asyncio.ensure_future(leave.finish()), asyncio.ensure_future(at_once.wait())]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if any(task.result() for task in done):
            return
        systemd.notify(systemd.READY)
        _say("ending no more: everything is served again")


def _reload(server: Server) -> None:
    systemd.notify(systemd.reloading())
    reloaded = server.reload()
    systemd.notify(systemd.READY)
    if reloaded.fault is None:
        there = {"users": server.access is not None, "certificates": server.tls.is_loaded, "routing": server.config.routing is not None}
        read = [name for name, is_there in there.items() if is_there]
        said = f"{', '.join(read)} read again" if read else "nothing to read again: no routing file is named"
        _say(said + (f"; changed: {', '.join(reloaded.changed)}" if reloaded.changed else ""))
        if reloaded.needs_restart:
            _logger.warning("waits for a restart: %s", ", ".join(reloaded.needs_restart))


def _trace(config: Config) -> Trace | None:
    """The observer that the configuration asks for. Raises `Fault` where its file cannot be had."""
    sinks: list[Sink] = []
    file = config.trace.file
    if file is not None:
        try:
            sinks.append(Pcap(file) if file.suffix == ".pcap" else JsonLines(file))
        except OSError as error:
            raise Fault(f"--trace-file: {os_fault(error)}") from None
    if config.trace.ladder:
        sinks.append(LiveLadder(_StandardOutput(highlight=False)))
    return Trace(sinks, given_up=_given_up) if sinks else None


class _StandardOutput(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read the ladder is gone: rich would end the program, but the calls go on."""
        raise BrokenPipeError("nobody reads it any more")


def _given_up(name: str, error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        # What is still in the buffer would fail once more at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _say(f"trace to {name} given up: {error.strerror or error}")


def _say(line: str) -> None:
    _logger.info("%s", line)
