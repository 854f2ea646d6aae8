"""How name servers behave: as they should, and otherwise."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.transport.resolver.nameserver import Answers, Behaviour, NameServer, Query, plain

ONE, TWO, OWN = (f"127.1.0.{number}" for number in (1, 2, 9))
NAPTR = '{} {} "s" "{}" "" {}.'


def good() -> NameServer:
    """A domain whose records are as they should be: two servers over UDP, the first at 5070."""
    server = NameServer()
    server.add("x.test", "NAPTR", NAPTR.format(10, 10, "SIP+D2U", "_sip._udp.x.test"), NAPTR.format(20, 10, "SIP+D2T", "_sip._tcp.x.test"))
    server.add("_sip._udp.x.test", "SRV", "1 0 5070 one.x.test.", "2 0 5060 two.x.test.")
    server.add("_sip._tcp.x.test", "SRV", "1 0 5060 two.x.test.")
    server.add("one.x.test", "A", ONE).add("two.x.test", "A", TWO).add("x.test", "A", OWN)
    return server


def without(*gone: tuple[str, str]) -> Callable[[], NameServer]:
    """A good domain that lacks some records."""

    def made() -> NameServer:
        server = good()
        for key in gone:
            del server.records[key]
        return server

    return made


def having(name: str, kind: str, *records: str) -> Callable[[], NameServer]:
    """A good domain with other records in one place."""

    def made() -> NameServer:
        server = good()
        server.records[name, kind] = list(records)
        return server

    return made


def behaving(behaviour: Behaviour, when: str = "") -> Callable[[], NameServer]:
    """A good domain whose server answers strangely, to every question or to those of one type."""

    def behave(server: NameServer, query: Query, is_tcp: bool) -> Answers:
        return (behaviour if when in server.asked[-1] else plain)(server, query, is_tcp)

    def made() -> NameServer:
        server = good()
        server.behaviour = behave
        return server

    return made


def says(rcode: dns.rcode.Rcode) -> Behaviour:
    """Nothing but a response code."""

    def behaviour(server: NameServer, query: Query, is_tcp: bool) -> Answers:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return [response.to_wire()]

    return behaviour


def silence(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    return []


def empty(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    return [dns.message.make_response(query).to_wire()]


def truncated(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    if is_tcp:
        return plain(server, query, is_tcp)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return [response.to_wire()]


def garbage_first(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    """Once for each question: c-ares takes garbage for a failure and asks again."""
    if server.asked.count(server.asked[-1]) == 1:
        return [b"", b"\0", b"\xff" * 40, server.response(query).to_wire()[:-3]]
    return plain(server, query, is_tcp)


def wrong_id_first(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    forged = server.response(query)
    forged.answer.clear()
    forged.id ^= 1
    return [forged.to_wire(), *plain(server, query, is_tcp)]


def wrong_question_first(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    other = dns.message.make_query("other.test.", query.question[0].rdtype, id=query.id)
    forged = dns.message.make_response(other)
    forged.set_rcode(dns.rcode.NXDOMAIN)
    return [forged.to_wire(), *plain(server, query, is_tcp)]


def query_back(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    return [query.to_wire()]


def twice(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    return [*plain(server, query, is_tcp), *plain(server, query, is_tcp)]


def of_another_type(server: NameServer, query: Query, is_tcp: bool) -> Answers:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text("x.test.", 300, "IN", "TXT", '"SIP+D2U"'))
    return [response.to_wire()]
