"""Every metric: its name, what it means, and where the plain integer behind it stands. They are looked at when Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ringback.message.methods import METHODS
from ringback.transaction.layer import OTHER

if TYPE_CHECKING:
    from ringback.server.server import Server

Value = int | float | Mapping[str, int] | Mapping[int, int] | Mapping[tuple[str, str], int]


class _Row(NamedTuple):
    family: type[CounterMetricFamily | GaugeMetricFamily]
    name: str
    help: str
    read: Callable[[Server], Value]
    label: str | tuple[str, str] = ""


def _pings(server: Server) -> tuple[int, int]:
    keepalive = server.core.keepalive
    return (0, 0) if keepalive is None else (keepalive.sent, keepalive.missed)


def _trunks(server: Server) -> dict[tuple[str, str], int]:
    now = server.location.clock()
    return {(name, str(one.uri)): int(one.is_up(now)) for name, trunks in server.core.gateways.trunks.items() for one in trunks}


def _expiries(server: Server) -> dict[str, int]:
    return {str(one.files.certificate): int(one.certificate.not_after.timestamp()) for one in server.tls.shown}


# What has not come yet is shown as well: a counter that begins to exist has no rate.
_ZERO = dict.fromkeys((*sorted(METHODS), OTHER), 0)

COUNTER, GAUGE = CounterMetricFamily, GaugeMetricFamily

# A new metric is one line here. Labels have a bounded number of values, whatever peers send.
_ROWS = (
    _Row(COUNTER, "sip_requests", "Requests received, repetitions left out", lambda s: _ZERO | s.core.layer.requests, "method"),
    _Row(COUNTER, "sip_responses", "Responses sent upstream, own and forwarded", lambda s: s.core.layer.responses, "code"),
    _Row(COUNTER, "sip_repeated_requests", "Requests received again", lambda s: s.core.layer.repeated_requests),
    _Row(COUNTER, "sip_malformed", "What was no SIP message", lambda s: s.counts.malformed),
    _Row(COUNTER, "sip_refused", "Requests this server refused or redirected itself", lambda s: s.counts.refused),
    _Row(COUNTER, "sip_shed_requests", "Requests refused for want of room for transactions", lambda s: s.core.layer.shed_requests),
    _Row(COUNTER, "sip_stray_responses", "Responses that matched no transaction", lambda s: s.core.layer.stray_responses),
    _Row(COUNTER, "sip_forged_responses", "Responses from another address than was asked", lambda s: s.core.layer.forged_responses),
    _Row(COUNTER, "sip_forged_cancels", "CANCELs from another address than their INVITEs", lambda s: s.core.layer.forged_cancels),
    _Row(COUNTER, "sip_routing_errors", "Requests for which the routing function failed", lambda s: s.counts.routing_errors),
    _Row(COUNTER, "sip_faults", "Messages not handled by a fault of this program's own", lambda s: s.core.stack.faults),
    _Row(COUNTER, "sip_dropped_datagrams", "Datagrams the operating system would not take", lambda s: s.transports.counts.dropped),
    _Row(COUNTER, "sip_keepalives", "Keep-alives received", lambda s: s.transports.counts.keepalives),
    _Row(COUNTER, "sip_flow_pings", "OPTIONS sent down flows to phones behind NATs", lambda s: _pings(s)[0]),
    _Row(COUNTER, "sip_flow_pings_missed", "Those of them that got no answer in time", lambda s: _pings(s)[1]),
    _Row(COUNTER, "sip_overdue_connections", "Connections closed at a limit", lambda s: s.transports.counts.overdue),
    _Row(COUNTER, "sip_refused_connections", "Connections closed as soon as accepted", lambda s: s.transports.counts.refused),
    _Row(COUNTER, "sip_failed_handshakes", "Connections that TLS kept from being", lambda s: s.transports.counts.failed_handshakes),
    _Row(GAUGE, "sip_certificate_expiry_seconds", "When each certificate ends, in seconds since 1970", _expiries, "file"),
    _Row(GAUGE, "sip_connections", "Connections open", lambda s: s.transports.counts.by_transport, "transport"),
    _Row(
        GAUGE,
        "sip_transactions",
        "Transactions alive",
        lambda s: {"server": len(s.core.layer.servers), "client": len(s.core.layer.clients)},
        "side",
    ),
    _Row(GAUGE, "sip_trunk_up", "1 where calls are sent to a trunk now", _trunks, ("gateway", "trunk")),
    _Row(GAUGE, "sip_under_way", "Requests forwarded that have no final answer", lambda s: s.core.proxy.unanswered),
    _Row(GAUGE, "sip_registrations", "Bindings held", lambda s: len(s.location)),
    _Row(GAUGE, "sip_registered_users", "Addresses-of-record with a binding", lambda s: len(s.location.by_aor)),
    _Row(GAUGE, "sip_users", "Accounts", lambda s: 0 if s.access is None else len(s.users)),
    _Row(GAUGE, "sip_draining", "1 while new requests are refused", lambda s: int(s.core.is_draining)),
    _Row(GAUGE, "sip_uptime_seconds", "Seconds since the server has been listening", lambda s: s.uptime),
)


class ServerCollector(Collector):
    """Reads a server's counters."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        for row in _ROWS:
            value = row.read(self._server)
            if not isinstance(value, Mapping):
                yield row.family(row.name, row.help, value=value)
                continue
            family = row.family(row.name, row.help, labels=[row.label] if isinstance(row.label, str) else row.label)
            for label, count in value.items():
                family.add_metric(label if isinstance(label, tuple) else [str(label)], count)
            yield family
