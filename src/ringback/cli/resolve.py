"""`ringback resolve`: where a SIP URI or a telephone number leads, question by question (RFC 3263, RFC 6116)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ringback.address import Endpoint, Target, host_port
from ringback.cli.fault import Fault
from ringback.message.errors import SipParseError
from ringback.message.uri import TelUri, parse_uri
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.transport.resolver import Resolver
    from ringback.transport.resolver.inquiry import Asked
    from ringback.transport.resolver.srv import Way

_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


@click.command(short_help="Show where a SIP URI or a telephone number leads, by DNS.")
@click.argument("uri")
@click.option("--nameserver", "nameservers", multiple=True, metavar="ADDRESS[:PORT]", help="Ask there.  [default: the system's]")
@click.option(
    "--transport",
    "transports",
    multiple=True,
    type=click.Choice(_TRANSPORTS),
    default=("udp", "tcp", "tls"),
    show_default=True,
    help="What is spoken; may be given more than once.",
)
@click.option("--ipv4-only", is_flag=True, help="Ask for no IPv6 addresses.")
@click.option("--enum", "suffixes", multiple=True, default=("e164.arpa",), show_default=True, metavar="SUFFIX", help="Where numbers stand.")
@click.option("--timeout", default=5.0, show_default=True, type=click.FloatRange(0.05, 60), help="Seconds for each question.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def resolve(
    uri: str, nameservers: Sequence[str], transports: Sequence[str], ipv4_only: bool, suffixes: Sequence[str], timeout: float, is_json: bool
) -> None:
    """Show where a SIP URI, a domain or a telephone number (tel:+49… or +49…) leads: every question, every answer, and the servers in the
    order in which they would be tried.

    The exit status is 0 if it leads anywhere, 1 if it does not, 2 if it is no such URI.
    """
    from ringback.transport.resolver import NameServers, Resolver
    from ringback.transport.resolver.nameservers import nameserver

    try:
        servers = [nameserver(text) for text in nameservers]
    except ValueError as error:
        raise Fault(f"--nameserver: one of them {error}") from None
    text = _with_scheme(uri)
    try:
        parsed = parse_uri(text)
    except SipParseError as error:
        raise Fault(f"{printable(uri)} is no SIP URI: {error.reason}") from None

    async def asking() -> bool:
        resolver = Resolver(NameServers(servers, timeout, 1) if servers else NameServers(timeout=timeout, tries=1), patience=timeout)
        # Who asks by hand is shown what leads to his own machine too.
        hosts = ["127.0.0.1"] if ipv4_only else ["127.0.0.1", "::1"]
        resolver.speak([Endpoint(transport.upper(), host, 5060) for transport in transports for host in hosts])
        try:
            if isinstance(parsed, TelUri):
                return await _number(resolver, parsed.digits, suffixes, is_json)
            return await _uri(resolver, text, is_json)
        except SipParseError as error:
            raise Fault(f"{printable(text)} is no SIP URI: {error.reason}") from None
        finally:
            resolver.close()

    raise SystemExit(0 if asyncio.run(asking()) else 1)


def _with_scheme(uri: str) -> str:
    """A number is a tel URI, a host or `user@host`, with or without a port, a sip URI."""
    head, colon, rest = uri.partition(":")
    if uri.startswith("+"):
        return f"tel:{uri}"
    return f"sip:{uri}" if not colon or rest.isdigit() or "@" in head or "[" in head else uri


async def _uri(resolver: Resolver, text: str, is_json: bool) -> bool:
    way, asked = await resolver.look(text)
    if is_json:
        click.echo(json.dumps({"uri": text, "asked": _told(asked), "targets": [_target(target) for _, target in _in_order(way)]}))
    else:
        click.echo(printable(text))
        _show(asked)
        _show_way(way)
    return bool(way.choices)


async def _number(resolver: Resolver, number: str, suffixes: Sequence[str], is_json: bool) -> bool:
    from ringback.transport.resolver import Enum
    from ringback.transport.resolver.enum import is_number

    if not is_number(number):
        raise Fault(f"{printable(number)} is no global telephone number; allowed is such as +4930123456")
    uris, asked = await Enum(suffixes, resolver.inquiry).look(number)
    if is_json:
        click.echo(json.dumps({"number": number, "asked": _told(asked), "uris": uris}))
    else:
        click.echo(number)
        _show(asked)
        click.echo("\n".join([f"{place:3}. {printable(uri)}" for place, uri in enumerate(uris, 1)]) if uris else "  it is no SIP URI")
    return bool(uris)


def _in_order(way: Way) -> list[tuple[str, Target]]:
    """Every target with what chance has to say about it."""
    found: dict[Target, str] = {}
    for choice in way.choices:
        equals = [other for other in way.choices if other.rank == choice.rank]
        share = "" if len(equals) == 1 else f"weight {choice.weight} of {sum(other.weight for other in equals)}"
        for target in choice.targets:
            found.setdefault(target, share)
    return [(share, target) for target, share in found.items()]


def _show(asked: Iterable[Asked]) -> None:
    for one in asked:
        click.echo(f"  {one.kind} {printable(one.name)}")
        if one.fault is not None:
            click.echo(f"      not answered: {printable(one.fault)}")
        elif not one.answer.records:
            click.echo("      none")
        # Servers by order or priority; addresses as they came.
        records = one.answer.records
        for record in records if isinstance(next(iter(records), None), str) else sorted(records):
            trap = "  (never followed by a server on the network)" if _is_trap(record, one.answer.is_local) else ""
            click.echo(f"      {printable(_record(record))}  ({one.answer.ttl:g} s){trap}")


def _is_trap(record: Any, is_local: bool) -> bool:
    from ringback.transport.resolver.preference import is_near

    return isinstance(record, str) and not is_local and is_near(record)


def _show_way(way: Way) -> None:
    for place, (share, target) in enumerate(_in_order(way), 1):
        certificate = f", certificate of {printable(target.domain)}" if target.domain else ""
        click.echo(f"{place:3}. {target.transport} {host_port(target.host, target.port)}{certificate}{f'  ({share})' if share else ''}")
    if not way.choices:
        click.echo("  it leads nowhere")


def _record(record: Any) -> str:
    """A record as a zone file has it."""
    if isinstance(record, str):
        return record
    if len(record) == 4:
        return f"{record.priority} {record.weight} {record.port} {record.target or '.'}"
    return f'{record.order} {record.preference} "{record.flags}" "{record.service}" "{record.regexp}" {record.replacement or "."}'


def _told(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "records": [_record(record) for record in one.answer.records],
            "ttl": one.answer.ttl,
            "fault": one.fault,
        }
        for one in asked
    ]


def _target(target: Target) -> dict[str, Any]:
    return {"transport": target.transport, "host": target.host, "port": target.port, "domain": target.domain}
