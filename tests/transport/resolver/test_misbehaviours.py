"""T19: forty ways in which name servers and their records are not as they should be (RFC 3263, RFC 2782, RFC 3403).

Each is served on loopback by a server that does so; what a URI leads to all the same is the row's last column.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import dns.rcode
import pytest

from ringback.address import Endpoint, Target
from ringback.transport.resolver import NameServers, Resolver
from tests.transport.resolver.asking import resolve
from tests.transport.resolver.behaviours import (
    NAPTR,
    ONE,
    OWN,
    TWO,
    behaving,
    empty,
    garbage_first,
    good,
    having,
    of_another_type,
    query_back,
    says,
    silence,
    truncated,
    twice,
    without,
    wrong_id_first,
    wrong_question_first,
)
from tests.transport.resolver.nameserver import NameServer

SPOKEN = [Endpoint(transport, "127.0.0.1", 5060) for transport in ("UDP", "TCP", "TLS")]
UDP_1, UDP_2, OWN_UDP = Target("UDP", ONE, 5070), Target("UDP", TWO, 5060), Target("UDP", OWN, 5060)
BOTH = [UDP_1, UDP_2]

ROWS: list[tuple[str, Callable[[], NameServer], str, list[Target]]] = [
    ("all is well", good, "sip:x.test", BOTH),
    ("no NAPTR", without(("x.test", "NAPTR")), "sip:x.test", BOTH),
    ("NAPTR of nothing we speak", having("x.test", "NAPTR", NAPTR.format(1, 1, "SIP+D2S", "_sip._sctp.x.test")), "sip:x.test", BOTH),
    (
        "NAPTR of services unknown",
        having("x.test", "NAPTR", NAPTR.format(1, 1, "E2U+sip", "y.test"), NAPTR.format(1, 1, "", "y.test")),
        "sip:x.test",
        BOTH,
    ),
    ("NAPTR with an expression", having("x.test", "NAPTR", '1 1 "s" "SIP+D2T" "!(.*)*!y.test!" .'), "sip:x.test", BOTH),
    ("NAPTR with both", having("x.test", "NAPTR", '1 1 "s" "SIP+D2T" "!.*!y.test!" _sip._tcp.x.test.'), "sip:x.test", BOTH),
    (
        "NAPTR with flags unknown",
        having("x.test", "NAPTR", '1 1 "x" "SIP+D2T" "" _sip._tcp.x.test.', '1 1 "" "SIP+D2T" "" x.test.'),
        "sip:x.test",
        BOTH,
    ),
    (
        "NAPTR in other letters",
        having("x.test", "NAPTR", '1 1 "S" "sip+d2t" "" _SIP._TCP.X.TEST.'),
        "sip:x.test",
        [Target("TCP", TWO, 5060)],
    ),
    ("NAPTR with flag a", having("x.test", "NAPTR", '1 1 "a" "SIP+D2T" "" one.x.test.'), "sip:x.test", [Target("TCP", ONE, 5060)]),
    (
        "NAPTR with odd octets, which c-ares refuses",
        having("x.test", "NAPTR", '1 1 "s" "SIP\\255\\000" "" y.test.', NAPTR.format(2, 2, "SIP+D2T", "_sip._tcp.x.test")),
        "sip:x.test",
        BOTH,
    ),
    (
        "NAPTR that leads nowhere, then one that does",
        having("x.test", "NAPTR", NAPTR.format(1, 1, "SIPS+D2T", "no.test"), NAPTR.format(2, 1, "SIP+D2T", "_sip._tcp.x.test")),
        "sip:x.test",
        [Target("TCP", TWO, 5060)],
    ),
    (
        "NAPTR into another domain, for sips",
        having("x.test", "NAPTR", NAPTR.format(1, 1, "SIP+D2U", "_sip._udp.x.test"), NAPTR.format(9, 9, "SIPS+D2T", "_sip._tcp.x.test")),
        "sips:x.test",
        [Target("TLS", TWO, 5060, domain="x.test")],
    ),
    (
        "a thousand NAPTR records",
        having(
            "x.test",
            "NAPTR",
            *[NAPTR.format(n, 1, "SIP+D2U", f"no{n}.test") for n in range(2, 1002)],
            NAPTR.format(1, 1, "SIP+D2U", "_sip._udp.x.test"),
        ),
        "sip:x.test",
        BOTH,
    ),
    (
        "neither NAPTR nor SRV",
        without(("x.test", "NAPTR"), ("_sip._udp.x.test", "SRV"), ("_sip._tcp.x.test", "SRV")),
        "sip:x.test",
        [OWN_UDP],
    ),
    ("no such name", NameServer, "sip:x.test", []),
    ("SRV target .", having("_sip._udp.x.test", "SRV", "0 0 0 ."), "sip:x.test;transport=udp", []),
    (
        "SRV target . beside a server",
        having("_sip._udp.x.test", "SRV", "0 0 0 .", "2 0 5060 two.x.test."),
        "sip:x.test;transport=udp",
        [UDP_2],
    ),
    ("SRV port 0", having("_sip._udp.x.test", "SRV", "0 0 0 one.x.test.", "2 0 5060 two.x.test."), "sip:x.test", [UDP_2]),
    (
        "SRV target that does not exist",
        having("_sip._udp.x.test", "SRV", "0 0 5060 no.test.", "2 0 5060 two.x.test."),
        "sip:x.test",
        [UDP_2],
    ),
    ("SRV target that is an address", having("_sip._udp.x.test", "SRV", f"0 0 5070 {ONE}.", "2 0 5060 two.x.test."), "sip:x.test", BOTH),
    (
        "SRV target with odd octets",
        having("_sip._udp.x.test", "SRV", "0 0 5060 \\000a\\032\\255\\.b.test.", "2 0 5060 two.x.test."),
        "sip:x.test",
        [UDP_2],
    ),
    (
        "SRV target that is a CNAME",
        lambda: having("_sip._udp.x.test", "SRV", "0 0 5070 alias.x.test.")().add("alias.x.test", "CNAME", "one.x.test."),
        "sip:x.test",
        [UDP_1],
    ),
    ("SRV for one transport only", without(("x.test", "NAPTR"), ("_sip._udp.x.test", "SRV")), "sip:x.test", [Target("TCP", TWO, 5060)]),
    ("weights 0", having("_sip._udp.x.test", "SRV", "0 0 5070 one.x.test.", "1 0 5060 two.x.test."), "sip:x.test", BOTH),
    (
        "one server named twice",
        having("_sip._udp.x.test", "SRV", "0 0 5070 one.x.test.", "1 0 5070 ONE.x.test.", "1 0 5060 two.x.test."),
        "sip:x.test",
        BOTH,
    ),
    ("a CNAME", lambda: NameServer().add("x.test", "CNAME", "y.test.").add("y.test", "A", OWN), "sip:x.test:5060", [OWN_UDP]),
    ("a CNAME that leads to itself", lambda: NameServer().add("x.test", "CNAME", "x.test."), "sip:x.test", []),
    ("CNAMEs in a circle", lambda: NameServer().add("x.test", "CNAME", "y.test.").add("y.test", "CNAME", "x.test."), "sip:x.test", []),
    ("the unspecified address", having("x.test", "A", "0.0.0.0", OWN), "sip:x.test:5060", [OWN_UDP]),
    ("AAAA only, where we have none", lambda: NameServer().add("x.test", "AAAA", "2001:db8::1"), "sip:x.test", []),
    ("silence", behaving(silence), "sip:x.test", []),
    ("silence about NAPTR", behaving(silence, "NAPTR"), "sip:x.test", BOTH),
    ("silence about one transport", behaving(silence, "_tcp"), "sip:x.test", BOTH),
    ("silence about one server", behaving(silence, "one."), "sip:x.test", [UDP_2]),
    ("SERVFAIL", behaving(says(dns.rcode.SERVFAIL)), "sip:x.test", []),
    ("REFUSED for what is not an address", behaving(says(dns.rcode.REFUSED), "_"), "sip:x.test", [OWN_UDP]),
    ("FORMERR for NAPTR", behaving(says(dns.rcode.FORMERR), "NAPTR"), "sip:x.test", BOTH),
    ("NOTIMP for NAPTR", behaving(says(dns.rcode.NOTIMP), "NAPTR"), "sip:x.test", BOTH),
    ("no error and nothing else", behaving(empty), "sip:x.test", []),
    ("truncated over UDP", behaving(truncated), "sip:x.test", BOTH),
    ("garbage first", behaving(garbage_first), "sip:x.test", BOTH),
    ("a wrong identifier first", behaving(wrong_id_first), "sip:x.test", BOTH),
    ("a wrong question first", behaving(wrong_question_first), "sip:x.test", BOTH),
    ("the query itself", behaving(query_back), "sip:x.test", []),
    ("every answer twice", behaving(twice), "sip:x.test", BOTH),
    ("records of a type not asked for", behaving(of_another_type, "NAPTR"), "sip:x.test", BOTH),
]


async def asked_of(server: NameServer, uri: str) -> list[Target]:
    async with server.serving():
        resolver = Resolver(NameServers([server.address], 0.1, 2), patience=0.5, chance=lambda: 0.0)
        resolver.speak(SPOKEN)
        try:
            return await resolve(resolver, uri)
        finally:
            resolver.close()


@pytest.mark.parametrize(("server", "uri", "targets"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_misbehaviour(server: Callable[[], NameServer], uri: str, targets: list[Target]) -> None:
    begin = time.monotonic()
    found = asyncio.run(asked_of(server(), uri))
    assert found == targets
    assert time.monotonic() - begin < 3, "a question has its time, and no more"


def test_a_thousand_servers_are_heard_in_part() -> None:
    server = good()
    server.records["_sip._udp.x.test", "SRV"] = [f"{number} 0 5060 {number}.x.test." for number in range(1000)]
    for number in range(1000):
        server.add(f"{number}.x.test", "A", f"127.3.{number // 250}.{number % 250 + 1}")
    found = asyncio.run(asked_of(server, "sip:x.test"))
    assert found == [Target("UDP", f"127.3.0.{number + 1}", 5060) for number in range(32)]
    assert len(server.asked) < 50


def test_of_many_addresses_some_are_heard() -> None:
    server = having("x.test", "A", *[f"127.2.0.{number}" for number in range(1, 200)])()
    found = asyncio.run(asked_of(server, "sip:x.test:5060"))
    assert len(set(found)) == 16
