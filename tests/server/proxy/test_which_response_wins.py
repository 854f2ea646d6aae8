"""RFC 3261 §16.7 as a table: what each branch says, and the one response that goes upstream."""

from typing import NamedTuple

import pytest

from ringback.server.proxy.routing import Forward
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import decide

SILENT = 0
"""A phone that never says a word."""
RINGS = 1
"""A phone that rings until it is cancelled."""


class Row(NamedTuple):
    """The branches in the order in which they answer, and what the caller hears in the end."""

    branches: list[int]
    upstream: int
    why: str


PARALLEL = [
    Row([200], 200, "item 5: a 2xx at once"),
    Row([486, 200], 200, "item 5: a 2xx wins over what is stored"),
    Row([603, 200], 200, "item 5: even over a 6xx, where it crosses the CANCEL"),
    Row([200, 200], 200, "item 5: every 2xx to an INVITE"),
    Row([302, 401, 404, 500], 302, "item 6: the lowest class"),
    Row([500, 404], 404, "item 6: the lowest class"),
    Row([404, 603], 603, "item 6: a 6xx before any other"),
    Row([600, RINGS], 600, "item 5: a 6xx has the others cancelled"),
    Row([480, 401], 401, "item 6: what tells how to ask again"),
    Row([486, 407], 407, "item 6: what tells how to ask again"),
    Row([486, 415], 415, "item 6: what tells how to ask again"),
    Row([486, 420], 420, "item 6: what tells how to ask again"),
    Row([486, 484], 484, "item 6: what tells how to ask again"),
    Row([503], 500, "item 6: a 503 is not passed on"),
    Row([503, 504], 504, "item 6: a 503 only where there is nothing else"),
    Row([503, 404], 404, "item 6: the lowest class"),
    Row([430, 404], 404, "RFC 5626: a 430 speaks of one flow"),
    Row([SILENT], 408, "item 6: no answer at all is 408"),
    Row([SILENT, 404], 404, "item 6: a callee's word before nobody's"),
    Row([RINGS], 408, "§16.8: Timer C"),
    Row([RINGS, 486], 486, "§16.8: a branch cancelled by Timer C counts as timed out: somebody else's word is better"),
    Row([487], 487, "a callee's own 487"),
]
SERIAL = [
    Row([486, 200], 200, "the next after a refusal"),
    Row([404, 486, 480], 404, "item 6: of one class the one tried first"),
    Row([603, 200], 603, "item 5: a 6xx begins no other branch"),
    Row([RINGS, 200], 200, "ring_for: the next after no answer"),
    Row([SILENT, 200], 200, "ring_for: the next after silence"),
    Row([RINGS, SILENT], 408, "nobody answers"),
    Row([503, 503], 500, "item 6: a 503 is not passed on"),
    Row([401, 200], 200, "a challenge does not end the search"),
    Row([302, 404], 302, "item 6: the lowest class"),
]


async def answer(house: House, alice: Party, row: Row, phones: list[Party], *, one_by_one: bool) -> None:
    decide(house, Forward(*[phone.uri for phone in phones], one_by_one=one_by_one, ring_for=10 if one_by_one else None))
    sent = alice.ask()
    await alice.hears("100 INVITE")
    waiting = []
    for phone, status in zip(phones, row.branches, strict=True):
        if one_by_one and row.upstream >= 600 and phone is not phones[0]:
            await phone.hears_nothing()
            continue
        invite = await phone.hears("INVITE")
        if status == RINGS:
            phone.reply(invite, 180)
            await alice.hears("180 INVITE")
            if one_by_one:
                await phone.hears("CANCEL")
                phone.reply(invite, 487)
            else:
                waiting.append((phone, invite))
        elif status == SILENT:
            continue
        else:
            if not one_by_one and (RINGS in row.branches or 603 in row.branches):
                await alice.hears_nothing()
            phone.reply(invite, status)
    if not one_by_one:
        for phone, invite in waiting:
            await phone.hears("CANCEL")
            phone.reply(invite, 487)
    for _ in range(row.branches.count(200) if row.upstream == 200 and not one_by_one else 1):
        got = await alice.hears(f"{row.upstream} INVITE")
    if row.upstream >= 300:
        alice.ack(sent, got)
    await alice.hears_nothing()


@pytest.mark.parametrize("row", PARALLEL, ids=lambda row: f"{row.branches}")
@simulated
async def test_all_at_once(row: Row) -> None:
    async with House() as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}") for index in range(len(row.branches))]
        await answer(house, alice, row, phones, one_by_one=False)


@pytest.mark.parametrize("row", SERIAL, ids=lambda row: f"{row.branches}")
@simulated
async def test_one_by_one(row: Row) -> None:
    async with House(proxy=proxy()) as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}") for index in range(len(row.branches))]
        await answer(house, alice, row, phones, one_by_one=True)
