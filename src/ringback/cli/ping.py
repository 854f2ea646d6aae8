"""`ringback ping`: OPTIONS to a URI (RFC 3261 §11), with sipsak's exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from ringback.address import DEFAULT_PORTS, Endpoint, Target, host_port
from ringback.cli.fault import Fault
from ringback.cli.tls_options import contexts, tls_options
from ringback.cli.transports import TRANSPORTS
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.cli.pinger import Answer
    from ringback.transport.tls import Contexts

_SPOKEN = ("UDP", "TCP", "TLS")
_SHOWN = ("Allow", "Accept", "Supported", "Server", "User-Agent", "Contact", "Warning", "Retry-After")


def seconds_between(least: float, most: float) -> Callable[[str], float]:
    """An option type: a duration within bounds."""

    def seconds(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1
        # Written so that "nan" fails too.
        if not least <= value <= most:
            raise click.BadParameter(f"{text!r} must be a number of seconds from {least:g} to {most:g}")
        return value

    return seconds


@click.command(short_help="Ask a SIP server or phone what it can do.")
@click.argument("uri")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), metavar="N", help="How many requests to send.")
@click.option("--interval", default=1.0, show_default=True, type=seconds_between(0, 3600), help="From one request to the next.")
@click.option("--timeout", default=5.0, show_default=True, type=seconds_between(0.01, 3600), help="How long to wait for each answer.")
@click.option("--transport", type=click.Choice(TRANSPORTS), help="[default: what the URI says, else udp]")
@tls_options
@click.option("--from", "from_", metavar="URI", help="Who asks.  [default: sip:ping@ and the address used]")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line.")
def ping(
    uri: str,
    count: int,
    interval: float,
    timeout: float,
    transport: str | None,
    tls_ca: str | None,
    believes_anybody: bool,
    from_: str | None,
    is_json: bool,
) -> None:
    """Ask a SIP server or phone what it can do (OPTIONS), and see how long the answer takes.

    The exit status is 0 if every answer was 2xx, 1 if one was another final answer, 2 if the question could not be asked, 3 if an
    answer never came.
    """
    asked = _sip_uri(uri if uri.lower().startswith(("sip:", "sips:")) else f"sip:{uri}", "URI")
    asker = None if from_ is None else str(_sip_uri(from_, "--from"))
    tls = contexts(tls_ca, believes_anybody=believes_anybody)
    raise SystemExit(asyncio.run(_ping(asked, count, interval, timeout, transport, tls, asker, is_json)))


def _sip_uri(text: str, what: str) -> SipUri:
    try:
        uri = parse_uri(text)
    except SipParseError as error:
        raise Fault(f"{what}: {printable(text)} is no SIP URI: {error.reason}") from None
    if not isinstance(uri, SipUri):
        raise Fault(f"{what}: {printable(text)} is no SIP URI")
    return uri


async def _ping(
    uri: SipUri,
    count: int,
    interval: float,
    timeout: float,  # noqa: ASYNC109 - SIP's time, not a scope's
    transport: str | None,
    tls: Contexts | None,
    asker: str | None,
    is_json: bool,
) -> int:
    from ringback.cli.pinger import Pinger

    targets = await find_targets(uri, transport)
    console = Console(highlight=False, soft_wrap=True)
    while True:
        target = targets.pop(0)
        try:
            pinger = await Pinger.open(target, tls)
            break
        except OSError as error:
            if not targets:
                raise Fault(f"{host_port(target.host, target.port)} cannot be reached from here: {error.strerror or error}") from None
    if not is_json:
        console.print(Text(f"OPTIONS {printable(str(uri))} at {target.transport} {host_port(target.host, target.port)}", "dim"))
    answers = []
    loop = asyncio.get_running_loop()
    try:
        for number in range(1, count + 1):
            begin = loop.time()
            answer = await pinger.ask(str(uri), timeout, asker)
            answers.append(answer)
            _tell(console, number, answer, target, is_json, is_first=len(answers) == 1)
            if number < count:
                await asyncio.sleep(max(begin + interval - loop.time(), 0))
    finally:
        await pinger.close()
    if count > 1 and not is_json:
        _sum_up(console, answers)
    return max(answer.exit_code for answer in answers)


async def find_targets(uri: SipUri, transport: str | None) -> list[Target]:
    """Where to ask, the best first: numeric hosts and localhost at once, other names by DNS (RFC 3263). Raises `Fault`."""
    from ringback.transport.resolver import Resolver

    name = (transport or uri.transport or "udp").upper()
    if uri.scheme == "sips":
        if transport not in (None, "tls", "wss"):
            raise Fault(f"what is asked for as sips goes over TLS alone, never over {transport}")
        name = "WSS" if name in ("WS", "WSS") else "TLS"
    if name not in DEFAULT_PORTS:
        raise Fault(f"the transport {printable(name.lower())} is unknown; allowed are {', '.join(TRANSPORTS)}")
    uri = uri.copy()
    if transport is not None:
        uri.params["transport"] = transport
    if uri.host == "localhost":
        uri.params.setdefault("maddr", "127.0.0.1")
    resolver = Resolver()
    # Who does not ask for WebSocket is not led there; who pings by hand may mean his own machine, by whatever name.
    resolver.speak([Endpoint(spoken, host, 0) for spoken in {*_SPOKEN, name} for host in ("127.0.0.1", "::1")])
    found: asyncio.Future[list[Target]] = asyncio.get_running_loop().create_future()
    try:
        targets = resolver.known(str(uri), 0.0)
        if targets is None:
            resolver.ask(str(uri), found.set_result)
            targets = await found
    finally:
        resolver.close()
    if not targets:
        raise Fault(f"{printable(uri.maddr or uri.host)}: no SIP server is known there; ringback resolve shows what the DNS says")
    return list(targets)


def _tell(console: Console, number: int, answer: Answer, target: Target, is_json: bool, is_first: bool) -> None:
    """Prints one answer; what the other side can do is printed with the first."""
    milliseconds = round(answer.seconds * 1000, 3)
    fields = {name: ", ".join(values) for name in _SHOWN if (values := answer.fields(name))}
    if is_json:
        told: dict[str, Any] = {"number": number, "target": f"{target.transport.lower()}:{host_port(target.host, target.port)}"}
        if answer.response is None:
            told["fault"] = answer.fault
        else:
            told |= {"status": answer.response.status, "reason": answer.response.reason, "ms": milliseconds}
            told |= {name.lower().replace("-", "_"): text for name, text in fields.items()}
        # ASCII: control characters and octets that were not UTF-8 come out as escapes.
        click.echo(json.dumps(told))
        return
    if answer.response is None:
        console.print(Text.assemble((answer.fault, "red"), f"  #{number}"))
        return
    style = "green" if answer.response.is_success else "red"
    console.print(
        Text.assemble((printable(f"{answer.response.status} {answer.response.reason}"), style), f"  {milliseconds:.3f} ms  #{number}")
    )
    if is_first:
        for name, text in fields.items():
            console.print(Text.assemble((f"  {name:<11} ", "dim"), printable(text)))


def _sum_up(console: Console, answers: list[Answer]) -> None:
    times = sorted(answer.seconds * 1000 for answer in answers if answer.response is not None)
    line = f"{len(answers)} asked, {len(times)} answered"
    if times:
        line += f"; fastest {times[0]:.3f} ms, median {times[len(times) // 2]:.3f} ms, slowest {times[-1]:.3f} ms"
    console.print(line)
