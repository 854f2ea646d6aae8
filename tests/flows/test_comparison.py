"""The comparison itself: the RFC's own messages are the RFC's flow, and whatever is changed in one of them is noticed and named."""

import re

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from tests.flows.comparison import ABSENT, ALL, Added, Differs, Insecure, Means, Moved, Omitted, labels, same_messages, trying
from tests.flows.corpus import HOSTS, CorpusFlow, Step, flow, sections

SESSION = flow("rfc3665", "3.2")
NO_ANSWER = flow("rfc3665", "3.8")
HOLD = flow("rfc5359", "2.1")
TRANSFER = flow("rfc5359", "2.5")
PICKUP = flow("rfc5359", "2.16")


def heard(shown: CorpusFlow) -> list[Step]:
    """The RFC's messages as if they had been heard on the wire."""
    return [step._replace(label=f"#{number}") for number, step in enumerate(shown.steps, 1)]


def changed(shown: CorpusFlow, label: str, old: str, new: str) -> list[Step]:
    """… one of them changed."""
    steps = heard(shown)
    place = next(index for index, step in enumerate(shown.steps) if step.label == label)
    octets = steps[place].octets
    assert old.encode() in octets, f"{label} has no {old!r}"
    head, empty, body = octets.replace(old.encode(), new.encode()).partition(b"\r\n\r\n")
    octets = re.sub(rb"Content-Length: [0-9]+", b"Content-Length: %d" % len(body), head) + empty + body
    message = parse_datagram(octets)
    assert isinstance(message, Request | Response)
    steps[place] = steps[place]._replace(message=message, octets=octets)
    return steps


def fault(steps: list[Step], shown: CorpusFlow, *differences: object) -> str:
    """What the comparison says."""
    with pytest.raises(AssertionError) as raised:
        same_messages(steps, shown, shown.hosts, *differences)  # type: ignore[arg-type]
    return str(raised.value)


@pytest.mark.parametrize("rfc", HOSTS)
def test_every_flow_is_itself(rfc: str) -> None:
    for section in sections(rfc):
        shown = flow(rfc, section)
        steps = same_messages(heard(shown), shown, shown.hosts)
        assert [step.label for step in steps] == [step.label for step in shown.steps]


def test_the_corpus_is_whole() -> None:
    counts = {rfc: sum(len(flow(rfc, section).steps) for section in sections(rfc)) for rfc in HOSTS}
    assert counts == {"rfc3665": 193, "rfc5359": 324, "rfc5589": 38}


@pytest.mark.parametrize(
    ("label", "old", "new", "field"),
    [
        ("F1", "INVITE sip:bob@biloxi.example.com SIP", "INVITE sip:bill@biloxi.example.com SIP", "Request-URI"),
        ("F7", "INVITE sip:bob@client.biloxi.example.com", "INVITE sip:bob@biloxi.example.com", "Request-URI"),
        ("F7", "INVITE sip:bob@client.biloxi.example.com", "INVITE sip:bob@client.biloxi.example.com;transport=tcp", "Request-URI"),
        ("F1", "SIP/2.0/TCP", "SIP/2.0/UDP", "Via"),
        ("F5", "SIP/2.0/TCP ss1.atlanta", "SIP/2.0/TCP ss2.biloxi", "Via"),
        ("F14", "Via: ", "Via: SIP/2.0/TCP ss1.atlanta.example.com;branch=z9hG4bKx\r\nVia: ", "Via"),
        ("F1", "Route: <sip:ss1.atlanta.example.com;lr>\r\n", "", "Route"),
        ("F15", "<sip:ss1.atlanta.example.com;lr>,\r\n <sip:ss2.biloxi.example.com;lr>", "<sip:ss2.biloxi.example.com;lr>", "Route"),
        ("F15", "<sip:ss1.atlanta.example.com;lr>,\r\n <sip:ss2.biloxi.example.com;lr>",
         "<sip:ss2.biloxi.example.com;lr>,\r\n <sip:ss1.atlanta.example.com;lr>", "Route"),
        ("F5", "Record-Route: <sip:ss1.atlanta.example.com;lr>\r\n", "", "Record-Route"),
        ("F5", "<sip:ss1.atlanta.example.com;lr>", "<sip:ss1.atlanta.example.com>", "Record-Route"),
        ("F1", "From: Alice <sip:alice@", "From: Alice <sip:eve@", "From"),
        ("F1", ";tag=9fxced76sl", "", "From tag"),
        ("F4", ";tag=9fxced76sl", ";tag=other", "From tag"),
        ("F18", "To: Alice <sip:alice@", "To: Alice <sip:eve@", "To"),
        ("F9", ";tag=314159", "", "To tag"),
        ("F15", ";tag=314159", ";tag=other", "To tag"),
        ("F6", "To: Bob <sip:bob@biloxi.example.com>", "To: Bob <sip:bob@biloxi.example.com>;tag=314159", "To tag"),
        ("F18", "Call-ID: ", "Call-ID: another-", "Call-ID"),
        ("F4", "CSeq: 2 ", "CSeq: 1 ", "CSeq"),
        ("F15", "CSeq: 2 ", "CSeq: 3 ", "CSeq"),
        ("F1", "Contact: <sip:alice@client.atlanta.example.com;transport=tcp>\r\n", "", "Contact"),
        ("F12", "Contact: <sip:bob@client.biloxi", "Contact: <sip:bob@client.atlanta", "Contact"),
        ("F9", "Contact: <sip:bob@client.biloxi.example.com;transport=tcp>\r\n", "", "Contact"),
        ("F7", "Max-Forwards: 68", "Max-Forwards: 69", "Max-Forwards"),
        ("F2", 'realm="atlanta', 'realm="biloxi', "Proxy-Authenticate"),
        ("F4", "Proxy-Authorization", "Authorization", "Proxy-Authorization"),
        ("F5", "Max-Forwards: 69", 'Max-Forwards: 69\r\nProxy-Authorization: Digest realm="atlanta.example.com"', "Proxy-Authorization"),
        ("F1", "application/sdp", "text/plain", "Content-Type"),
        ("F12", "RTP/AVP 0", "RTP/AVP 8", "SDP media"),
        ("F12", "m=audio 3456", "m=audio 0", "SDP media"),
        ("F12", "a=rtpmap:0 PCMU/8000", "a=inactive", "SDP media"),
        ("F12", "c=IN IP4 192.0.2.201", "c=IN IP4 192.0.2.101", "SDP address"),
        ("F13", "o=bob 2890844527 2890844527", "o=bob 2890844527 2890844528", "SDP origin"),
        ("F1", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nRequire: 100rel\r\n", "Require"),
        ("F1", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nX-Mine: yours\r\n", "other fields"),
    ],
)  # fmt: skip
def test_a_change_is_noticed(label: str, old: str, new: str, field: str) -> None:
    """… and the first line says in which message and which field."""
    lines = fault(changed(SESSION, label, old, new), SESSION).split("\n")
    assert lines[0] == "RFC 3665 §3.2:"
    found = [line for line in lines[1:] if line.startswith(f"  {label} ") and f": {field} is " in line]
    assert found, "\n".join(lines)


@pytest.mark.parametrize(
    ("label", "old", "new"),
    [
        ("F1", "z9hG4bK74b43", "z9hG4bKother"),
        ("F1", "From: Alice <", "From: <"),
        ("F1", "From: Alice", "f: Alice"),
        ("F1", "sip:alice@client.atlanta.example.com", "sip:any-user-part@client.atlanta.example.com"),
        ("F1", "Content-Length: ", "Supported: replaces\r\nAllow: INVITE, ACK\r\nUser-Agent: x\r\nContent-Length: "),
        ("F2", "407 Proxy Authorization Required", "407 Proxy Authentication Required"),
        ("F12", "m=audio 3456", "m=audio 40000"),
    ],
)
def test_what_does_not_count_is_not_noticed(label: str, old: str, new: str) -> None:
    """Branches, display names, compact forms, the user of a Contact, what one supports, reason phrases, ports."""
    same_messages(changed(SESSION, label, old, new), SESSION, SESSION.hosts)


@pytest.mark.parametrize(
    ("label", "old", "new", "field"),
    [
        ("F10", "sendonly", "sendrecv", "SDP media"),
        ("F10", "o=bob 2890844527 2890844528", "o=bob 2890844527 2890844527", "SDP origin"),
        ("F12", "recvonly", "inactive", "SDP media"),
        ("F1", "INVITE sips:", "INVITE sip:", "Request-URI"),
        ("F10", ';+sip.rendering="no"', "", "Contact"),
    ],
)
def test_a_change_of_a_hold_is_noticed(label: str, old: str, new: str, field: str) -> None:
    assert f": {field} is " in fault(changed(HOLD, label, old, new), HOLD)


@pytest.mark.parametrize(
    ("label", "old", "new", "field"),
    [
        ("F15", "Replaces=", "Replaces=other", "Refer-To"),
        ("F19", "from-tag=", "from-tag=other", "Replaces"),
        ("F17", "100 Trying", "180 Ringing", "fragment"),
        ("F17", "Subscription-State: active", "Subscription-State: pending", "Subscription-State"),
        ("F24", "Event: refer", "Event: dialog", "Event"),
        ("F24", "tag=ff3a", "tag=other", "fragment"),
    ],
)
def test_a_change_of_a_transfer_is_noticed(label: str, old: str, new: str, field: str) -> None:
    assert f": {field} is " in fault(changed(TRANSFER, label, old, new), TRANSFER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<state>early", "<state>confirmed"),
        ('call-id="', 'call-id="other'),
        ('local-tag="', 'local-tag="other'),
        ('direction="recipient"', 'direction="initiator"'),
    ],
)
def test_a_change_of_a_dialog_that_is_told_of_is_noticed(old: str, new: str) -> None:
    assert ": dialogs is " in fault(changed(PICKUP, "F5", old, new), PICKUP)


def test_a_message_that_is_missing_is_named() -> None:
    steps = heard(NO_ANSWER)
    del steps[5]
    said = fault(steps, NO_ANSWER)
    assert "  -   F6 Bob → Proxy 2: 180 INVITE" in said.split("\n")


def test_a_message_too_many_is_named() -> None:
    steps = heard(NO_ANSWER)
    steps.insert(5, steps[4])
    assert "  +      Proxy 2 → Proxy 1: 100 INVITE" in fault(steps, NO_ANSWER).split("\n")


def test_another_order_is_noticed() -> None:
    steps = heard(NO_ANSWER)
    steps[1], steps[2] = steps[2], steps[1]
    assert "not the RFC's ones in order" in fault(steps, NO_ANSWER)


def test_another_status_is_noticed() -> None:
    said = fault(changed(NO_ANSWER, "F15", "487 Request Terminated", "486 Busy Here"), NO_ANSWER)
    assert "  -  F15 Bob → Proxy 2: 487 INVITE" in said.split("\n")
    assert "  +      Bob → Proxy 2: 486 INVITE" in said.split("\n")


def test_differences_that_are_listed_are_none() -> None:
    steps = changed(NO_ANSWER, "F15", "487 Request Terminated", "486 Busy Here")
    steps.insert(7, steps.pop(5))
    steps.insert(0, steps[0])
    del steps[-1]
    steps = same_messages(
        steps,
        NO_ANSWER,
        NO_ANSWER.hosts,
        Differs("F15", "kind", "486 INVITE", "a test"),
        Moved("F6", "F9", "a test"),
        Added("Alice → Proxy 1: INVITE", "", "a test"),
        Omitted("F20", "a test"),
    )
    assert [step.label for step in steps][:9] == ["#1", "F1", "F2", "F3", "F4", "F5", "F7", "F8", "F6"]


def test_trying_comes_when_it_comes() -> None:
    steps = heard(NO_ANSWER)
    steps[1], steps[2] = steps[2], steps[1]
    same_messages(steps, NO_ANSWER, NO_ANSWER.hosts, *trying("F3 F2"))
    steps = heard(HOLD)
    steps.insert(10, steps[2]._replace(sender="Proxy 1", receiver="Bob"))
    same_messages(steps, HOLD, HOLD.hosts, *trying("Proxy 1 → Bob F10"))


def test_what_an_omitted_message_named_is_named_anew() -> None:
    """Without the challenge of F1 to F3 the second INVITE is the first: CSeq and tags are counted from there on both sides."""
    steps = heard(SESSION)[3:]
    same_messages(steps, SESSION, SESSION.hosts, Omitted("F1-F3", "a test"))


def test_a_field_that_differs_must_be_what_is_listed() -> None:
    steps = changed(SESSION, "F7", "Max-Forwards: 68", "Max-Forwards: 69")
    same_messages(steps, SESSION, SESSION.hosts, Differs("F7", "Max-Forwards", "69", "a test"))
    same_messages(steps, SESSION, SESSION.hosts, Differs(ALL, "Max-Forwards", "69", "a test"))
    assert "shall be '60': a test" in fault(steps, SESSION, Differs("F7", "Max-Forwards", "60", "a test"))
    same_messages(
        changed(SESSION, "F1", "Max-Forwards: 70\r\n", ""), SESSION, SESSION.hosts, Differs("F1", "Max-Forwards", ABSENT, "a test")
    )


@pytest.mark.parametrize(
    "difference",
    [
        Differs("F7", "Max-Forwards", "69", "a test"),
        Differs(ALL, "Max-Forwards", "69", "a test"),
        Differs("F7", "kind", "INVITE", "a test"),
        Means("Route Record-Route", "Proxy 3;lr", "Proxy 2;lr", "a test"),
    ],
)
def test_a_needless_difference_fails(difference: object) -> None:
    assert "needless" in fault(heard(SESSION), SESSION, difference)


def test_what_is_written_in_another_way_may_mean_the_same() -> None:
    steps = changed(
        SESSION, "F5", "Record-Route: <sip:ss1.atlanta.example.com;lr>", "Record-Route: <sip:ss1.atlanta.example.com;transport=tcp;lr>"
    )
    meaning = Means("Record-Route", "Proxy 1;transport=TCP;lr", "Proxy 1;lr", "a test")
    same_messages(steps, SESSION, SESSION.hosts, meaning)
    assert ": Record-Route is " in fault(steps, SESSION, meaning._replace(fields="Route"))


def test_a_difference_has_a_reason() -> None:
    assert "has no reason" in fault(heard(SESSION), SESSION, Omitted("F1", ""))


def test_what_is_known_of_a_message_is_said() -> None:
    said = fault(changed(NO_ANSWER, "F10", "To: Bob <sip:bob@biloxi.example.com>", "To: <sip:bob@biloxi.example.com>;tag=1"), NO_ANSWER)
    assert "(known of F10: no To tag)" in said


def test_tls_may_be_another_transport() -> None:
    """Then `sips` is `sip`, but nothing else is forgiven."""
    steps = []
    for step in heard(HOLD):
        octets = step.octets.replace(b"SIP/2.0/TLS", b"SIP/2.0/UDP").replace(b"sips:", b"sip:")
        message = parse_datagram(octets)
        assert isinstance(message, Request | Response)
        steps.append(step._replace(message=message, octets=octets))
    same_messages(steps, HOLD, HOLD.hosts, Insecure("UDP", "a test"))
    assert ": Via is " in fault(steps, HOLD, Insecure("TCP", "a test"))
    assert ": Via is " in fault(steps, HOLD)


def test_a_part_of_a_flow_can_be_compared() -> None:
    same_messages(heard(SESSION)[:3], SESSION, SESSION.hosts, only="F1-F3")


def test_labels() -> None:
    assert labels("F1 F3-F5") == ["F1", "F3", "F4", "F5"]
