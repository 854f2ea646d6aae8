"""Every torture message has one verdict: of the parser, of the server over UDP, and over a stream; afterwards the server serves on."""

from collections import Counter

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.testing import run
from tests.torture.corpus import ALL, CVE, RFC4475, RFC5118, Case
from tests.torture.served import served

KINDS = {"Request": Request, "Response": Response, "Malformed": Malformed}

# Where the RFC names a status and this server, which is a proxy and a registrar, has another one to give.
OTHER_ANSWERS = {
    "badbranch.dat": 404,  # taken as it is; nobody of that name is registered
    "unksm2.dat": 404,  # RFC 3261 §10.3 step 5: no address-of-record of a domain here
}

every_case = pytest.mark.parametrize("case", ALL, ids=[f"{case.folder.name}/{case.file.removesuffix('.dat')}" for case in ALL])


@every_case
def test_the_parser(case: Case) -> None:
    message = parse_datagram(case.octets)
    assert isinstance(message, KINDS[case.read_as])
    if case.verdict == "accept":
        assert not isinstance(message, Malformed)


@every_case
def test_the_server_over_udp(case: Case) -> None:
    async def main() -> None:
        async with served() as one:
            answers = await one.datagrams(case.octets)
            assert [answer.status for answer in answers if isinstance(answer, Response)] == case.answers
            assert len(answers) == len(case.answers)
            assert one.is_alive()

    run(main())


@every_case
def test_the_server_over_a_stream(case: Case) -> None:
    async def main() -> None:
        async with served() as one:
            assert await one.stream(case.octets) == case.stream_outcome
            assert one.is_alive()

    run(main())


@every_case
def test_a_stream_cut_anywhere_says_the_same(case: Case) -> None:
    whole, pieces = StreamParser(), StreamParser()
    whole.feed(case.octets)
    found = []
    for start in range(0, len(case.octets), 7):
        pieces.feed(case.octets[start : start + 7])
        while (one := pieces.next_message()) is not None:
            found.append(repr(one[0]))
    expected = []
    while (one := whole.next_message()) is not None:
        expected.append(repr(one[0]))
    assert found == expected


@pytest.mark.parametrize("case", [*RFC4475, *RFC5118], ids=lambda case: case.file.removesuffix(".dat"))
def test_the_answer_is_one_the_rfc_names(case: Case) -> None:
    named = {int(code.rpartition(":")[2]) for code in case.codes.split(" ") if code != "-"}
    if case.file in OTHER_ANSWERS:
        assert case.answers == [OTHER_ANSWERS[case.file]]
        assert case.answers[0] not in named
    elif case.verdict == "reject":
        assert set(case.answers) <= named
        assert case.answers
    elif case.verdict == "discard" or case.read_as == "Response":
        assert case.answers == []
    elif "proxy:" in case.codes or "registrar:" in case.codes or named - {400, 415, 501, 406}:
        assert set(case.answers) <= named
    else:
        # A proxy that accepts it looks for a target and finds none, or is not the one to ask.
        assert set(case.answers) <= {200, 400, 403, 404, 405, 481}


def test_no_message_is_missing() -> None:
    assert len([case for case in RFC4475 if "/" not in case.file]) == 50 - 1
    assert len([case for case in RFC5118 if "/" not in case.file]) == 12
    assert len(CVE) >= 40
    for cases in (RFC4475, RFC5118, CVE):
        folder = cases[0].folder
        assert {case.file for case in cases} == {path.relative_to(folder).as_posix() for path in folder.rglob("*.dat")}


def test_every_section_of_rfc4475_is_there() -> None:
    sections = Counter(case.section for case in RFC4475 if "/" not in case.file)
    expected = [f"3.1.1.{n}" for n in range(1, 14)] + [f"3.1.2.{n}" for n in range(1, 20)] + ["3.2.1"]
    expected += [f"3.3.{n}" for n in range(1, 16)] + ["3.4.1"]
    assert sorted(sections.elements()) == sorted(expected)


def test_all_of_them_into_one_server() -> None:
    async def main() -> None:
        async with served() as one:
            for case in ALL:
                one.datagram(case.octets)
                assert one.is_alive(), case.file

    run(main())
