"""Telephone numbers as SIP URIs (RFC 6116)."""

from __future__ import annotations

import asyncio

import pytest

from ringback.testing import Names, run
from ringback.transport.resolver import Enum, Resolver
from ringback.transport.resolver.enum import domain_of, is_for_sip, is_number, rewrite
from ringback.transport.resolver.records import Naptr

NUMBER = "+441632960083"
DOMAIN = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa"


def terminal(regexp: str, order: int = 100, preference: int = 50, service: str = "E2U+sip", flags: str = "u") -> Naptr:
    """A record that makes a URI of the number."""
    return Naptr(order, preference, flags, service, regexp, "")


def reference(domain: str, order: int = 100) -> Naptr:
    """A record that leads on."""
    return Naptr(order, 50, "", "", "", domain)


async def uris(names: Names, number: str = NUMBER, *suffixes: str) -> list[str]:
    """What a number is."""
    enum = Enum(suffixes or ("e164.arpa",), Resolver(names).inquiry)
    loop = asyncio.get_running_loop()
    known = enum.known(number, loop.time())
    if known is not None:
        return known
    found: asyncio.Future[list[str]] = loop.create_future()
    enum.ask(number, found.set_result)
    answer = await found
    assert enum.known(number, loop.time()) == answer
    return answer


def of(*records: Naptr) -> list[str]:
    """What the number is where these are its records."""
    names = Names()
    names.add(DOMAIN, *records)
    return run(uris(names))


def test_the_domain_of_a_number() -> None:
    assert domain_of(NUMBER, "e164.arpa") == DOMAIN


@pytest.mark.parametrize("text", ["+123", NUMBER, "+123456789012345"])
def test_what_is_a_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "+", "123", "+12", "+1234567890123456", "+49-30", "+49a", "+٣٤٥", "112", "*100#"])
def test_only_global_numbers_are_asked_for(text: str) -> None:
    """RFC 6116 §3.7: what somebody dialled is no E.164 number."""
    names = Names()
    assert run(uris(names, text)) == []
    assert names.asked == []


def test_the_records_of_the_rfcs_example() -> None:
    assert of(
        terminal(r"!^\+441632960083$!h323:operator@example.com!", preference=51, service="E2U+h323"),
        terminal("!^.*$!mailto:info@example.com!", preference=52, service="E2U+email:mailto"),
        terminal(r"!^(\+441632960083)$!sip:\1@example.com!"),
    ) == [f"sip:{NUMBER}@example.com"]


def test_order_counts_before_preference_and_a_worse_order_is_no_reason_to_discard() -> None:
    assert of(
        terminal("!^.*$!sip:third@example.com!", order=101, preference=1),
        terminal("!^.*$!sip:second@example.com!", preference=60),
        terminal("!^.*$!sip:first@example.com!", preference=50),
        terminal("!^.*$!sip:first@example.com!", preference=70),
    ) == ["sip:first@example.com", "sip:second@example.com", "sip:third@example.com"]


@pytest.mark.parametrize(
    "service", ["E2U+sip", "e2u+SIP", "E2U+voice:tel+sip", "E2U+sip+email:mailto", "E2U+sip:any", "sip+E2U", "SIP+e2u", "E2U+unknown-9+sip"]
)
def test_services_that_offer_sip(service: str) -> None:
    assert is_for_sip(service)


@pytest.mark.parametrize(
    "service", ["", "E2U", "E2U+h323", "E2U+voice:sip", "SIP+D2U", "D2U+sip", "E2U+P-private+sip", "tel+E2U", "E2U+sips", "é"]
)
def test_services_that_do_not(service: str) -> None:
    assert not is_for_sip(service)


@pytest.mark.parametrize(
    ("regexp", "made"),
    [
        ("!^.*$!sip:a@b!", "sip:a@b"),
        ("/^.*$/sip:a@b/", "sip:a@b"),
        ("!^.*$!sip:a@b!i", "sip:a@b"),
        (r"!^\+(44)(.*)$!sip:\2@\1.example!", "sip:1632960083@44.example"),
        (r"!^.*$!sip:\!a@b!", "sip:!a@b"),
        (r"!^(.)\!?!\1!", "+"),
        (r"#^(.*)$#" + r"\1" * 60 + "#", NUMBER * 60),
        (r"!^.*$!a\\b\c!", r"a\bc"),
    ],
)
def test_substitutions(regexp: str, made: str) -> None:
    assert rewrite(regexp, NUMBER) == made


@pytest.mark.parametrize(
    "regexp",
    [
        "",
        "!",
        "!!",
        "!!!",
        "!a!b",
        "!a!b!c!",
        "!^.*$!sip:a@b!g",
        "!(!b!",
        "1^.*$1b1",
        "i^.*$ibi",
        r"\^.*$\b\ ".strip(" "),
        r"!^.*$!\1!",
        "!x!b!",
    ],
)
def test_what_is_no_substitution_of_this_number(regexp: str) -> None:
    assert rewrite(regexp, NUMBER) is None


@pytest.mark.parametrize(
    "record",
    [
        terminal("!^.*$!tel:+4412345!"),
        terminal("!^.*$!no uri!"),
        terminal("!^.*$!sip:!"),
        terminal("!^(.*)$!sip:" + r"\1" * 100 + "\x00!"),
        terminal("!^.*$!sip:a@b!", flags="x"),
        terminal("!^.*$!sip:a@b!", flags="s"),
        terminal("!^((((!sip:a@b!"),
        reference(""),
        terminal("!^.*$!sip:é\udcff@b!", service="E2U+sip\udcff"),
    ],
)
def test_what_is_discarded_costs_the_next_record_nothing(record: Naptr) -> None:
    assert of(record, terminal("!^.*$!sip:good@example.com!", preference=99)) == ["sip:good@example.com"]


def test_records_that_lead_on_are_followed_where_they_stand() -> None:
    names = Names()
    names.add(DOMAIN, terminal("!^.*$!sip:first@a!", 10), reference("elsewhere.example", 20), terminal("!^.*$!sip:last@a!", 30))
    names.add("elsewhere.example", terminal("!^.*$!sip:second@a!", 99))
    assert run(uris(names)) == ["sip:first@a", "sip:second@a", "sip:last@a"]


def test_what_a_reference_says_besides_its_domain_is_ignored() -> None:
    names = Names()
    names.add(DOMAIN, Naptr(1, 1, "", "E2U+h323", "!^.*$!sip:wrong@a!", "elsewhere.example"))
    names.add("elsewhere.example", terminal("!^.*$!sip:right@a!"))
    assert run(uris(names)) == ["sip:right@a"]


@pytest.mark.parametrize("fault", ["broken", "silent", "empty", "useless", "no name"])
def test_a_reference_that_leads_nowhere_is_passed_over(fault: str) -> None:
    names = Names()
    names.add(DOMAIN, reference("" if fault == "no name" else "elsewhere.example", 1), terminal("!^.*$!sip:next@a!", 2))
    if fault == "useless":
        names.add("elsewhere.example", terminal("!x!sip:wrong@a!"), terminal("!^.*$!tel:+123!"))
    elif fault in ("broken", "silent"):
        getattr(names, fault).add("elsewhere.example")
    assert run(uris(names)) == ["sip:next@a"]


def test_records_of_one_order_and_preference_stay_as_they_came() -> None:
    found = of(*[terminal(f"!^.*$!sip:{user}@a!") for user in ("c", "a", "b")])
    assert found == ["sip:c@a", "sip:a@a", "sip:b@a"]


def test_a_loop_of_references_ends() -> None:
    names = Names()
    names.add(DOMAIN, reference("a.example"), terminal("!^.*$!sip:good@a!", 101))
    names.add("a.example", reference("A.example"), reference("b.example"))
    names.add("b.example", reference("a.example"), reference(DOMAIN))
    assert run(uris(names)) == ["sip:good@a"]
    assert len(names.asked) == 3


def test_a_tree_of_references_ends() -> None:
    names = Names()
    names.add(DOMAIN, *[reference(f"{number}.example") for number in range(1000)], terminal("!^.*$!sip:good@a!", 1))
    for number in range(1000):
        names.add(f"{number}.example", *[reference(f"{number}.{other}.example") for other in range(10)])
    assert run(uris(names)) == ["sip:good@a"]
    assert len(names.asked) == 6


def test_suffixes_are_asked_in_their_order_until_one_knows() -> None:
    names = Names()
    names.add(domain_of(NUMBER, "e164.arpa"), terminal("!^.*$!sip:public@example.com!"))
    assert run(uris(names, NUMBER, "enum.example.com", "e164.arpa", "never.example")) == ["sip:public@example.com"]
    assert names.asked == [f"NAPTR {domain_of(NUMBER, 'enum.example.com')}", f"NAPTR {DOMAIN}"]


def test_who_names_no_suffix_asks_nobody() -> None:
    names = Names()
    enum = Enum((), Resolver(names).inquiry)
    assert enum.known(NUMBER, 0.0) == []


def test_what_is_known_is_forgotten_in_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        names = Names()
        names.add(DOMAIN, terminal("!^.*$!sip:a@b!"))
        enum = Enum(["e164.arpa"], Resolver(names).inquiry)
        found: asyncio.Future[list[str]] = loop.create_future()
        enum.ask(NUMBER, found.set_result)
        await found
        assert enum.known(NUMBER, loop.time() + 299) == ["sip:a@b"]
        assert enum.known(NUMBER, loop.time() + 301) is None
        enum.forget()
        assert enum.known(NUMBER, loop.time()) is None
        enum.ask(NUMBER, lambda _: pytest.fail("closed"))
        enum.close()
        await asyncio.sleep(1)

    run(main())
