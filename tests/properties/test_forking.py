"""Whatever is decided and whatever the phones say: a call ends with one final response or with 2xx, and nothing is left over (§16.7)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.message.message import Request, Response
from ringback.server.config import RelayConfig
from ringback.server.proxy.routing import Decision, Forward, Location, Reject, first
from ringback.testing import Network, run
from tests.server.party import House, Message, Party, proxy
from tests.server.proxy.deciding import decide

PHONES = 5
HOSTS = [f"192.0.2.{10 + index}" for index in range(PHONES)]
URIS = [f"sip:phone{index}@{host}:5060" for index, host in enumerate(HOSTS)]


class Manner(NamedTuple):
    """How a phone behaves: what it says to an INVITE and when, whether it obeys a CANCEL, and where it sends callers on to."""

    words: tuple[tuple[float, int], ...]
    obeys: bool
    contact: int


manners = st.builds(
    Manner,
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.1, 2.0, 4.5, 20.0]), st.sampled_from([100, 180, 183, 200, 302, 404, 408, 430, 480, 486, 500, 503, 603])
        ),
        max_size=3,
    ).map(tuple),
    st.booleans(),
    st.integers(0, PHONES - 1),
)
targets = st.lists(st.sampled_from([*URIS, "sip:x@two.example", "sip:nobody@nowhere.example", "nonsense"]), min_size=1, max_size=3)
ring_fors = st.sampled_from([None, 3.0, 15.0])


def _forwards(else_: st.SearchStrategy[object]) -> st.SearchStrategy[Forward]:
    return st.builds(
        lambda uris, one_by_one, ring_for, else_, recurse: Forward(
            *uris, one_by_one=one_by_one, ring_for=ring_for, else_=else_, recurse=recurse
        ),
        targets,
        st.booleans(),
        ring_fors,
        else_,
        st.booleans(),
    )


decisions: st.SearchStrategy[Decision] = st.recursive(
    _forwards(st.none()) | st.builds(Location, ring_for=ring_fors) | st.builds(Reject, st.sampled_from([404, 480])),
    lambda inner: (
        _forwards(inner | st.dictionaries(st.sampled_from(["busy", "no_answer", "unregistered", "any", 603, 302]), inner, max_size=2))
        | st.lists(inner, min_size=1, max_size=3).map(lambda all_: first(*all_))
        | st.builds(lambda else_: Location(else_=else_), inner)
    ),
    max_leaves=6,
)


class Phone:
    """Answers as its manner is."""

    def __init__(self, party: Party, manner: Manner) -> None:
        self._party = party
        self._manner = manner
        self._invites: dict[str, Request] = {}
        party.on_message = self._hear

    def _hear(self, message: Message) -> None:
        if not isinstance(message, Request):
            return
        branch = str(message.via.branch)
        loop = asyncio.get_running_loop()
        if message.method == "CANCEL":
            self._party.reply(message, 200)
            if self._manner.obeys and branch in self._invites:
                self._party.reply(self._invites[branch], 487)
        elif message.method == "INVITE" and branch not in self._invites:
            self._invites[branch] = message
            for delay, status in self._manner.words:
                loop.call_later(delay, self._say, message, status)

    def _say(self, invite: Request, status: int) -> None:
        self._party.reply(invite, status, extra=f"Contact: <{URIS[self._manner.contact]}>" if status == 302 else "")


async def called(decision: Decision, manners: list[Manner], cancel_after: float | None, network: Network) -> None:
    async with House(network, proxy=proxy(recurse=True, max_branches=8), relay=RelayConfig(allow=HOSTS)) as house:
        house.names["two.example"] = HOSTS[:2]
        alice = await house.party("alice", "192.0.2.1")
        for index, (host, manner) in enumerate(zip(HOSTS, manners, strict=True)):
            Phone(await house.party(f"phone{index}", host), manner)
        house.bind("bob", URIS[0], 0.5)
        house.bind("bob", URIS[1], 0.5)
        decide(house, decision)
        sent = alice.ask()
        finals: list[tuple[int, str | None]] = []

        def hear(message: Message) -> None:
            if isinstance(message, Response) and message.cseq.method == "INVITE" and message.status >= 200:
                if (message.status, message.to_tag) not in finals:
                    finals.append((message.status, message.to_tag))
                if message.status >= 300:
                    alice.ack(sent, message)

        alice.on_message = hear
        cancelled_at = None
        if cancel_after is not None:
            await asyncio.sleep(cancel_after)
            alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id)
            cancelled_at = asyncio.get_running_loop().time()
        await asyncio.sleep(600)
        successes = [final for final in finals if final[0] < 300]
        # Where datagrams are lost the caller, who says everything once, may hear nothing; never both kinds.
        assert successes == finals or len(finals) == 1 or (network.loss and not successes), finals
        assert finals or network.loss
        invites = [passed for passed in house.sent if passed.octets.startswith(b"INVITE")]
        began: dict[bytes, float] = {}
        for passed in sorted(invites, key=lambda passed: passed.time):
            began.setdefault(passed.octets.partition(b"branch=")[2].partition(b"\r\n")[0], passed.time)
        # Each of the eight targets may be a name with two servers.
        assert len(began) <= 16
        if cancelled_at is not None and not network.loss:
            assert all(time <= cancelled_at + 0.1 for time in began.values())
        for passed in invites:
            breadth = int(passed.octets.partition(b"Max-Breadth: ")[2].partition(b"\r\n")[0])
            assert 1 <= breadth <= 60


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(decisions, st.lists(manners, min_size=PHONES, max_size=PHONES), st.sampled_from([None, None, 0.0, 1.0, 5.0, 30.0]))
def test_every_call_has_one_end(decision: Decision, manners: list[Manner], cancel_after: float | None) -> None:
    run(called(decision, manners, cancel_after, Network()))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(decisions, st.lists(manners, min_size=PHONES, max_size=PHONES), st.sampled_from([None, 1.0, 5.0]), st.integers(0, 1000))
def test_a_lossy_network_leaves_nothing_over_either(
    decision: Decision, manners: list[Manner], cancel_after: float | None, seed: int
) -> None:
    run(called(decision, manners, cancel_after, Network(loss=0.25, duplication=0.1, reordering=0.2, seed=seed)))
