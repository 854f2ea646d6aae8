"""What a server says of itself, as tables for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringback.cli.duration import duration_text
from ringback.trace.printable import printable


def _print(what: Table | Text | str) -> None:
    # Where nobody looks at it on a terminal, no column is cut.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=1_000)
    console.print(what)


def _table(rows: Sequence[Sequence[object]], *names: str) -> Table:
    table = Table(*names, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        # Text: what strangers wrote is no markup, and has no power over the terminal.
        table.add_row(*[Text(printable(str(cell))) for cell in row])
    return table


def _listed(result: dict[str, Any], name: str, rows: Sequence[Sequence[object]], *names: str) -> None:
    total = result["total"]
    if rows:
        _print(_table(rows, *names))
    if total > len(rows):
        _print(Text(f"{len(rows)} of {total} {name}" if rows else f"{total} {name}", "dim"))
    elif not total:
        _print(Text(f"no {name}", "dim"))


def status(result: dict[str, Any]) -> None:
    """One line for each thing."""
    state = result["state"] + (f" for {duration_text(round(result['draining_for']))}" if result["draining_for"] is not None else "")
    transactions = result["transactions"]
    rows = [
        ("state", f"{state}, process {result['pid']}, version {result['version']}"),
        ("up for", f"{duration_text(round(result['uptime']))} (since {result['started']})"),
        ("listening", " ".join(result["listening"])),
        ("domains", ", ".join(result["domains"]) or "every domain"),
        ("data", result["data"] or "in memory only"),
        ("users", "nobody needs a password" if result["users"] is None else result["users"]),
        ("registrations", result["registrations"]),
        ("calls", f"{result['calls']} being set up"),
        ("under way", f"{result['under_way']} requests without a final answer"),
        ("transactions", f"{transactions['server']} server, {transactions['client']} client"),
        ("connections", ", ".join(f"{count} {name.lower()}" for name, count in result["connections"].items()) or 0),
        *[(name.replace("_", " "), count) for name, count in result["counts"].items() if count],
    ]
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, "dim"), Text(printable(str(value), 4_096)))
    _print(grid)


def registrations(result: dict[str, Any]) -> None:
    """A line for each binding."""
    rows = [
        (one["aor"].removeprefix("sip:"), one["contact"], f"{one['q']:g}", duration_text(one["expires_in"]), one["source"])
        for one in result["registrations"]
    ]
    _listed(result, "registrations", rows, "user", "contact", "q", "expires in", "from")


def removed(result: dict[str, Any]) -> None:
    """What was removed."""
    for one in result["removed"]:
        _print(Text(f"removed {printable(one['contact'])}"))


def calls(result: dict[str, Any]) -> None:
    """A line for each call."""
    rows = [
        (one["state"], one["from"], one["to"], one["source"], ", ".join(target["uri"] for target in one["targets"]), one["call_id"])
        for one in result["calls"]
    ]
    _listed(result, "calls being set up", rows, "state", "caller", "callee", "from", "rings at", "Call-ID")


def transactions(result: dict[str, Any]) -> None:
    """Counts by state, then those listed."""
    rows = [(one["side"], one["method"], one["state"], one["count"]) for one in result["states"]]
    _print(_table(rows, "side", "method", "state", "count") if rows else Text("no transactions", "dim"))
    if result["transactions"]:
        rows = [(one["side"], one["method"], one["state"], one["peer"]) for one in result["transactions"]]
        _listed(result, "transactions", rows, "side", "method", "state", "peer")


def connections(result: dict[str, Any]) -> None:
    """A line for each connection."""
    rows = [
        (
            one["transport"].lower(),
            one["peer"],
            one["opened_by"],
            duration_text(one["idle"]) if one["is_open"] else "not open yet",
            one["domain"] or ", ".join(one["proven"]),
        )
        for one in result["connections"]
    ]
    _listed(result, "connections", rows, "transport", "peer", "opened by", "idle", "domain")


def gateways(result: dict[str, Any]) -> None:
    """A line for each trunk."""
    rows = [
        (
            one["gateway"],
            one["uri"],
            one["priority"],
            one["weight"],
            one["state"] + (f", asked again in {duration_text(one['back_in'])}" if one["back_in"] else ""),
        )
        for one in result["trunks"]
    ]
    _print(_table(rows, "gateway", "trunk", "priority", "weight", "state") if rows else Text("no gateways", "dim"))


def reloaded(result: dict[str, Any]) -> None:
    """What has changed, and what would need a restart."""
    _print(Text(f"read again; changed: {', '.join(result['changed']) or 'no key of the configuration'}"))
    if result["needs_restart"]:
        _print(Text(f"waits for a restart: {', '.join(result['needs_restart'])}", "yellow"))
