"""From a name to its servers, rule by rule (RFC 3263 §4.1, §4.2, §7)."""

from __future__ import annotations

import pytest

from ringback.address import Endpoint, Target
from ringback.testing import Names, run
from ringback.transport.resolver import Resolver
from ringback.transport.resolver.records import Naptr, Srv
from tests.transport.resolver.asking import resolve

A_HOST = "192.0.2.9"


def service(kind: str, replacement: str, order: int = 10, preference: int = 10) -> Naptr:
    """A NAPTR record that leads to SRV records."""
    return Naptr(order, preference, "s", kind, "", replacement)


def example() -> Names:
    """A domain with SRV records for three transports, and an address of its own."""
    names = Names()
    for place, (label, host) in enumerate({"_sip._udp": "u", "_sip._tcp": "t", "_sips._tcp": "s"}.items(), 1):
        names.add(f"{label}.example.com", Srv(0, 0, 5070 + place, f"{host}.example.com"))
        names.add(f"{host}.example.com", f"192.0.2.{place}")
    names.add("example.com", A_HOST)
    return names


UDP, TCP = Target("UDP", "192.0.2.1", 5071), Target("TCP", "192.0.2.2", 5072)
TLS = Target("TLS", "192.0.2.3", 5073, domain="example.com")


def targets(names: Names, uri: str, *spoken: str) -> list[Target]:
    """Where a URI leads somebody who speaks these transports; UDP, TCP and TLS unless named."""

    async def main() -> list[Target]:
        resolver = Resolver(names, chance=lambda: 0.0)
        resolver.speak([Endpoint(transport, "192.0.2.200", 5060) for transport in spoken or ("UDP", "TCP", "TLS")])
        return await resolve(resolver, uri)

    return run(main())


# The transport (§4.1).


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:example.com;transport=udp", UDP),
        ("sip:example.com;transport=tcp", TCP),
        ("sip:example.com;transport=tls", TLS),
        ("sips:example.com;transport=tcp", TLS),
        ("sips:example.com;transport=udp", TLS),
        ("sip:example.com;transport=TCP", TCP),
    ],
)
def test_the_transport_that_the_uri_names_is_used(uri: str, target: Target) -> None:
    names = example()
    names.add("example.com", service("SIP+D2U", "_sip._udp.example.com"))
    assert targets(names, uri) == [target]
    assert not any(asked.startswith("NAPTR") for asked in names.asked)


def test_a_transport_that_nobody_speaks_here_leads_nowhere_and_nothing_is_asked() -> None:
    names = example()
    for uri in ("sip:example.com;transport=sctp", "sip:example.com;transport=tls", "sips:example.com;transport=ws"):
        assert targets(names, uri, "UDP") == []
    assert names.asked == []


def test_who_names_a_port_means_udp_or_tls_at_that_port_of_the_host_itself() -> None:
    names = example()
    assert targets(names, "sip:example.com:5060") == [Target("UDP", A_HOST, 5060)]
    assert targets(names, "sips:example.com:5061") == [Target("TLS", A_HOST, 5061, domain="example.com")]
    assert targets(names, "sip:example.com:5080;transport=tcp") == [Target("TCP", A_HOST, 5080)]
    assert names.asked == ["A example.com"] * 3


def test_else_the_domain_s_naptr_records_say() -> None:
    names = example()
    names.add("example.com", service("SIP+D2U", "_sip._udp.example.com", 30), service("SIP+D2T", "_sip._tcp.example.com", 20))
    assert targets(names, "sip:ann@example.com") == [TCP]
    assert names.asked == ["NAPTR example.com", "SRV _sip._tcp.example.com", "A t.example.com"]


def test_a_sips_uri_has_only_services_that_are_secure() -> None:
    names = example()
    names.add("example.com", service("SIP+D2U", "_sip._udp.example.com", 1), service("SIPS+D2T", "_sips._tcp.example.com", 2))
    assert targets(names, "sips:ann@example.com") == [TLS]
    assert targets(names, "sip:ann@example.com") == [UDP]
    only = example()
    only.add("example.com", service("SIP+D2U", "_sip._udp.example.com"))
    # Services that are not secure are no services for it; then the domain has none, and its SRV records count.
    assert targets(only, "sips:ann@example.com") == [TLS]


def test_a_sip_uri_goes_over_tls_where_the_domain_prefers_it_and_we_speak_it() -> None:
    names = example()
    names.add("example.com", service("SIPS+D2T", "_sips._tcp.example.com", 1), service("SIP+D2T", "_sip._tcp.example.com", 2))
    assert targets(names, "sip:ann@example.com") == [TLS]
    assert targets(names, "sip:ann@example.com", "UDP", "TCP") == [TCP]


def test_services_that_are_not_ours_are_discarded() -> None:
    names = example()
    kinds = ["SIP+D2S", "SIP+D2X", "SIPS+D2U", "E2U+sip", "sip", "SIP+D2", "D2T+SIP"]
    names.add("example.com", *[service(kind, f"no.{place}.example.com", place) for place, kind in enumerate(kinds)])
    names.add("example.com", service("SIP+D2T", "_sip._tcp.example.com", 99))
    assert targets(names, "sip:ann@example.com") == [TCP]


def test_websocket_has_services_of_its_own() -> None:
    """RFC 7118 §10.2; without NAPTR records, an address at the port of the scheme (§7)."""
    names = Names()
    names.add("example.com", service("SIP+D2W", "_sip._ws.example.com", 2), service("SIPS+D2W", "_sips._ws.example.com", 1))
    names.add("_sips._ws.example.com", Srv(0, 0, 8443, "w.example.com"))
    names.add("w.example.com", A_HOST)
    assert targets(names, "sip:ann@example.com", "WS", "WSS") == [Target("WSS", A_HOST, 8443, domain="example.com")]
    assert targets(names, "sip:w.example.com", "WS") == [Target("WS", A_HOST, 80)]
    assert targets(names, "sip:w.example.com;transport=wss", "WS", "WSS") == [Target("WSS", A_HOST, 443, domain="w.example.com")]


def test_a_later_order_counts_only_where_an_earlier_one_leads_nowhere() -> None:
    names = example()
    names.add("example.com", service("SIP+D2T", "_sip._tcp.example.com", 1, 20), service("SIP+D2U", "_sip._udp.example.com", 1, 10))
    names.add("example.com", service("SIPS+D2T", "_sips._tcp.example.com", 2))
    assert targets(names, "sip:ann@example.com") == [UDP, TCP]
    names.remove("t.example.com")
    names.remove("u.example.com")
    assert targets(names, "sip:ann@example.com") == [TLS]


def test_without_naptr_records_srv_records_are_asked_for_each_transport_at_once() -> None:
    names = example()
    assert targets(names, "sip:ann@example.com") == [UDP]
    assert names.asked[1:4] == ["SRV _sip._udp.example.com", "SRV _sip._tcp.example.com", "SRV _sips._tcp.example.com"]
    names.remove("_sip._udp.example.com")
    assert targets(names, "sip:ann@example.com") == [TCP]
    names.remove("_sip._tcp.example.com")
    assert targets(names, "sip:ann@example.com") == [TLS]
    names.asked.clear()
    assert targets(names, "sips:ann@example.com") == [TLS]
    assert names.asked[1] == "SRV _sips._tcp.example.com"


def test_without_srv_records_it_is_udp_or_tls_at_the_host_itself() -> None:
    names = Names()
    names.add("example.com", A_HOST)
    assert targets(names, "sip:ann@example.com") == [Target("UDP", A_HOST, 5060)]
    assert targets(names, "sips:ann@example.com") == [Target("TLS", A_HOST, 5061, domain="example.com")]
    assert targets(names, "sip:ann@example.com;transport=tcp") == [Target("TCP", A_HOST, 5060)]
    assert targets(names, "sip:ann@example.com", "TCP") == [Target("TCP", A_HOST, 5060)]


# Port and address (§4.2).


def test_every_address_of_every_server_stands_in_its_order() -> None:
    names = Names()
    names.add("_sip._udp.example.com", Srv(2, 0, 5060, "b.example.com"), Srv(1, 0, 5070, "a.example.com"))
    names.add("a.example.com", "192.0.2.2", "192.0.2.1")
    names.add("b.example.com", "192.0.2.3", "192.0.2.4")
    found = targets(names, "sip:example.com", "UDP")
    assert [(target.host, target.port) for target in found] == [
        ("192.0.2.2", 5070),
        ("192.0.2.1", 5070),
        ("192.0.2.3", 5060),
        ("192.0.2.4", 5060),
    ]


def test_a_final_dot_changes_nothing() -> None:
    assert targets(example(), "sips:ann@Example.COM.") == [TLS]


def test_maddr_is_where_to_ask_and_the_domain_stays_what_the_certificate_bears() -> None:
    names = example()
    assert targets(names, "sips:ann@example.org;maddr=example.com") == [TLS._replace(domain="example.org")]
    assert targets(names, "sips:ann@example.org;maddr=192.0.2.7") == [Target("TLS", "192.0.2.7", 5061, domain="example.org")]


def test_the_certificate_is_that_of_the_domain_that_was_asked_for() -> None:
    """RFC 5922 §4: whatever the records name."""
    names = Names()
    names.add("example.com", service("SIPS+D2T", "_sips._tcp.provider.example"))
    names.add("_sips._tcp.provider.example", Srv(0, 0, 5061, "host.cloud.example"))
    names.add("host.cloud.example", A_HOST)
    assert targets(names, "sip:ann@example.com") == [Target("TLS", A_HOST, 5061, domain="example.com")]


def test_a_group_has_a_time_to_live_by_whatever_name() -> None:
    names = Names()
    names.add("sip.mcast.net", "224.0.1.75")
    assert targets(names, "sip:sip.mcast.net", "UDP") == [Target("UDP", "224.0.1.75", 5060, ttl=1)]
    assert targets(names, "sip:224.0.1.75;ttl=15", "UDP") == [Target("UDP", "224.0.1.75", 5060, ttl=15)]


# What a domain once offered (§7).


def test_a_domain_that_offers_tls_no_more_is_reported() -> None:
    async def main() -> list[str]:
        said: list[str] = []
        names = example()
        names.ttl = 1.0
        names.add("example.com", service("SIPS+D2T", "_sips._tcp.example.com"))
        resolver = Resolver(names, report=said.append)
        resolver.speak([Endpoint(transport, "192.0.2.200", 5060) for transport in ("UDP", "TLS")])
        assert await resolve(resolver, "sip:ann@example.com") == [TLS]
        names.remove("example.com")
        names.add("example.com", A_HOST)
        for _ in range(2):
            resolver.turn_to(names, 5.0)
            assert await resolve(resolver, "sip:ann@example.com") == [UDP]
        return said

    line = "example.com offered TLS in its NAPTR records and does so no more: it may be forged, calls go there without (RFC 3263 §7)"
    assert run(main()) == [line]


# What the operator hears.


def said_of(names: Names, uri: str) -> list[str]:
    """The lines about a URI that is asked for twice."""

    async def main() -> list[str]:
        said: list[str] = []
        resolver = Resolver(names, report=said.append)
        resolver.speak([Endpoint("UDP", "192.0.2.200", 5060)])
        for _ in range(2):
            resolver.turn_to(names, 5.0)
            await resolve(resolver, uri)
        return said

    return run(main())


def test_the_operator_hears_of_names_that_lead_nowhere_and_why() -> None:
    names = Names()
    names.silent.add("quiet.example")
    names.add("_sip._udp.large.example", *[Srv(0, 0, 5060, "host.example") for _ in range(1000)])
    names.add("host.example", A_HOST)
    nowhere = "looking for none.example, no server was found: "
    assert said_of(names, "sip:none.example") == [f"{nowhere}the DNS names none that can be reached from here"]
    assert said_of(names, "sip:none.example;transport=tls") == [f"{nowhere}TLS is not spoken here"]
    [line] = said_of(names, "sip:quiet.example:5060")
    assert line == "looking for quiet.example, no server was found: A quiet.example: no answer in time"
    assert said_of(names, "sip:large.example") == ["large.example names 1000 servers: the first 32 count"]
    assert said_of(names, "sip:host.example") == []
