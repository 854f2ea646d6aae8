"""The rules of `consistency.py` themselves: sound flows break none of them, and whoever breaks one is named."""

import re

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from tests.flows.consistency import broken_rules
from tests.flows.corpus import Step, flow

PROXIES = {"Proxy", "Proxy 1", "Proxy 2", "Proxy 3"}
HOSTS = {**flow("rfc3665", "3.7").hosts}
CALL_HOSTS = {**flow("rfc5359", "2.1").hosts}
FORWARDED = flow("rfc5359", "2.9")

# A call through a proxy that stays in the path; it ends without its hold. A session that moves. A call that is forwarded, its first target
# cancelled. Three sound flows.
CALL = [step for step in flow("rfc5359", "2.1").steps if int(step.label[1:]) not in range(10, 22)]
MOVE = list(flow("rfc3665", "3.7").steps)

# Where RFC 3665 breaks the rules itself: ACK without the INVITE's Route, branches used twice, URIs without the Contact's transport …
SLIPS = {
    "2.5": "F1",
    "3.1": "F4 F5",
    "3.2": "F3 F16 F17 F19 F20 F15 F18",
    "3.3": "F8 F3 F10 F13 F20 F21 F7",
    "3.4": "F19 F21",
    "3.5": "F1 F13 F15",
    "3.6": "F12 F14 F11 F13",
    "3.8": "F18 F9 F10 F12 F14 F11 F20 F17",
    "3.9": "F11",
    "3.10": "F15",
    "3.11": "F14",
}


def changed(steps: list[Step], label: str, old: str, new: str) -> list[Step]:
    """The steps, one of them changed; `old` is a regular expression."""
    found = []
    for step in steps:
        if step.label == label:
            head, empty, body = re.subn(old.encode(), new.encode(), step.octets, count=1)[0].partition(b"\r\n\r\n")
            assert head + empty + body != step.octets, f"{label} has no {old}"
            message = parse_datagram(head + empty + body)
            assert isinstance(message, Request | Response)
            step = step._replace(message=message, octets=head + empty + body)
        found.append(step)
    return found


def test_sound_flows_break_no_rule() -> None:
    assert broken_rules(CALL, CALL_HOSTS, proxies=PROXIES) == []
    assert broken_rules(MOVE, HOSTS, proxies=PROXIES) == []
    assert broken_rules(FORWARDED.steps, FORWARDED.hosts, proxies=PROXIES) == []


@pytest.mark.parametrize("section", ["2.1", "2.2", "2.3", "2.4", "2.5", *[f"3.{number}" for number in range(1, 12)]])
def test_the_slips_of_rfc_3665_are_found(section: str) -> None:
    shown = flow("rfc3665", section)
    broken = broken_rules(shown.steps, shown.hosts, proxies=PROXIES | {"SIP Server"}, others={"SIP ALG"})
    assert " ".join(dict.fromkeys(line.split(" ")[0] for line in broken)) == SLIPS.get(section, "")


@pytest.mark.parametrize(
    ("label", "old", "new", "rule"),
    [
        ("F1", "Content-Length: 165", "Content-Length: 164", "F1 .*: Content-Length .* of a body of 165"),
        ("F1", "Content-Length: 165", "Subject: x", "F1 .*: no Content-Length over a stream"),
        ("F1", "TLS client.atlanta", "TLS client.biloxi", "F1 .*: its topmost Via is"),
        ("F1", "branch=z9hG4bK", "branch=", "F1 .*: branch .* has no magic cookie"),
        ("F1", "Max-Forwards: 70\r\n", "", "F1 .*: no Max-Forwards"),
        ("F1", "(Max-Forwards: 70\r\n)(.*\r\n)", "\\2\\1", "F1 .*: max-forwards below From"),
        ("F8", "(Route: .*\r\n)(Max.*\r\nFrom: .*\r\n)", "\\2\\1", "F8 .*: route below From"),
        ("F4", "branch=z9hG4bK83749.1", "branch=z9hG4bKother", "F4 .*: no request that it answers"),
        ("F4", "Via: .*\r\n .*\r\n .*\r\n", "", "F4 .*: no request that it answers"),
        ("F6", "branch=z9hG4bK74bf9", "branch=z9hG4bKother", "F6 .*: its Via are not those of F2"),
        ("F6", ";tag=1234567", ";tag=other", "F6 .*: From, To, Call-ID or CSeq are not those of F2"),
        ("F6", "Call-ID: ", "Call-ID: other-", "F6 .*: From, To, Call-ID or CSeq are not those of F2"),
        ("F24", ";tag=[a-z0-9]+(\r\nCall)", ";tag=other\\1", "F24 .*: its To tag is not that of F23"),
        ("F4", ";tag=[a-z0-9]+(\r\nCall)", "\\1", "F4 .*: no To tag"),
        ("F8", "branch=z9hG4bK[0-9a-zA-Z]+", "branch=z9hG4bK74bf9", "F8 .*: an ACK has its INVITE's branch if that was refused"),
        ("F22", "branch=z9hG4bK[0-9a-zA-Z]+", "branch=z9hG4bK74bf9", "F22 .*: has the branch of F1 and is another request"),
        ("F2", "branch=z9hG4bK74bf9", "branch=z9hG4bKother", "F2 .*: is forwarded, and never came"),
        ("F2", "o=alice", "o=alicf", "F2 .*: From, To, Call-ID, CSeq, Contact or body are not those of F1"),
        ("F2", "Alice <sips:alice@", "Alice <sips:alix@", "F2 .*: From, To, Call-ID, CSeq, Contact or body are not those of F1"),
        ("F2", "client.atlanta.example.com>", "client.atlanta.example.org>", "F2 .*: From, To, Call-ID, CSeq, Contact or body"),
        ("F2", "Max-Forwards: 69", "Max-Forwards: 70", "F2 .*: Max-Forwards 70 where F1 had 70"),
        ("F7", "o=bob", "o=pop", "F7 .*: From, To, Call-ID, CSeq, Contact or body are not those of F6"),
        ("F7", ";tag=[a-z0-9]+(\r\nCall)", ";tag=other\\1", "F7 .*: From, To, Call-ID, CSeq, Contact or body are not those of F6"),
        ("F1", "Contact: .*\r\n", "", "F1 .*: 0 Contact values"),
        ("F6", "Contact: .*\r\n", "", "F6 .*: 0 Contact values"),
        ("F6", ";tag=[a-z0-9]+(\r\nCall)", ";tag=other\\1", "F6 .*: its To tag is not that of F4"),
        ("F8", "ACK sips:bob@client.biloxi.example.com", "ACK sips:bob@biloxi.example.com", "F8 .*: goes to .* the remote target is"),
        ("F8", "Route: .*\r\n", "", r"F8 .*: Route \[\], and the route set is"),
        ("F22", "Route: .*\r\n", "", r"F22 .*: Route \[\], and the route set is"),
        ("F22", ";tag=1234567", ";tag=other", "F22 .*: its sender knows no such dialog"),
        ("F22", "Call-ID: ", "Call-ID: other-", "F22 .*: its sender knows no such dialog"),
        ("F22", "CSeq: 2", "CSeq: 1", "F22 .*: CSeq 1 after 1"),
        ("F22", "CSeq: 2", "CSeq: 3", "F22 .*: CSeq 3 after 1"),
        ("F8", "CSeq: 1", "CSeq: 2", "F8 .*: CSeq 2 is no INVITE's of this dialog"),
    ],
)  # fmt: skip
def test_a_broken_rule_of_a_call_is_noticed(label: str, old: str, new: str, rule: str) -> None:
    broken = broken_rules(changed(CALL, label, old, new), CALL_HOSTS, proxies=PROXIES)
    assert any(re.match(rule, line) for line in broken), "\n".join(broken) or "nothing was noticed"


@pytest.mark.parametrize(
    ("label", "old", "new", "rule"),
    [
        ("F12", "BYE sip:bob@client.chicago", "BYE sip:bob@client.biloxi", "F12 .*: goes to .* the remote target is"),
        ("F11", "CSeq: 14", "CSeq: 1", "F11 .*: CSeq 1 is no INVITE's"),
        ("F9", "Contact: .*\r\n", "", "F9 .*: 0 Contact values"),
        ("F12", "CSeq: 2", "CSeq: 1", "F12 .*: CSeq 1 after 1"),
    ],
)
def test_a_broken_rule_of_a_session_that_moves_is_noticed(label: str, old: str, new: str, rule: str) -> None:
    """The Contact of a re-INVITE is the remote target from then on."""
    broken = broken_rules(changed(MOVE, label, old, new), HOSTS, proxies=PROXIES)
    assert any(re.match(rule, line) for line in broken), "\n".join(broken) or "nothing was noticed"


@pytest.mark.parametrize(
    ("label", "old", "new", "rule"),
    [
        ("F6", "CSeq: 1", "CSeq: 2", "F6 .*: no request that it cancels"),
        ("F6", "CANCEL sips:bob@client", "CANCEL sips:bob@client2", "F6 .*: no request that it cancels"),
        ("F6", "branch=z9hG4bK83749.1", "branch=z9hG4bKother", "F6 .*: no request that it cancels"),
        ("F6", "Max-Forwards", "Route: <sips:ss9.example.com;lr>\r\nMax-Forwards", "F6 .*: its Route is not that of F2"),
        ("F9", "branch=z9hG4bK83749.1", "branch=z9hG4bKother", "F9 .*: an ACK has its INVITE's branch if|F8 .*: nobody"),
        ("F9", ";tag=[a-z0-9]+(\r\nCall)", ";tag=other\\1", "F8 .*: nobody acknowledges it"),
    ],
)
def test_a_broken_rule_of_a_cancelled_branch_is_noticed(label: str, old: str, new: str, rule: str) -> None:
    broken = broken_rules(changed(list(FORWARDED.steps), label, old, new), FORWARDED.hosts, proxies=PROXIES)
    assert any(re.match(rule, line) for line in broken), "\n".join(broken) or "nothing was noticed"


def test_an_ack_that_is_missing_is_noticed() -> None:
    steps = [step for step in CALL if step.message.cseq.method != "ACK"]
    assert broken_rules(steps, CALL_HOSTS, proxies=PROXIES) == ["F7 Proxy 1 → Alice: 200 INVITE: nobody acknowledges it"]


def test_a_repetition_is_no_other_request() -> None:
    steps = [*CALL[:1], *CALL]
    assert broken_rules(steps, CALL_HOSTS, proxies=PROXIES) == []
