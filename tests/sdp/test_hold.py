import pytest

from ringback.sdp.answer import Preferences, make_answer
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.hold import held, is_held, is_stream_held, resumed
from ringback.sdp.offer_answer import OfferAnswer
from tests.sdp.writing import described

ALL = "\n".join([f"m=audio {port} RTP/AVP 0\na={way}" for port, way in ((1, SENDRECV), (2, SENDONLY), (3, RECVONLY), (4, INACTIVE))])


def ways(description) -> list[str]:
    return [medium.direction for medium in description.media]


def test_hold_stops_receiving_stream_by_stream_and_counts_the_version_up():
    """RFC 3264 §8.4."""
    before = described(ALL)
    description = held(before)
    assert ways(description) == [SENDONLY, SENDONLY, INACTIVE, INACTIVE]
    assert description.origin == before.origin.next_version()
    assert ways(before) == [SENDRECV, SENDONLY, RECVONLY, INACTIVE]


def test_holding_who_is_held_says_the_same_again():
    once = held(described(ALL))
    assert held(once) == once


def test_resuming_asks_for_both_directions_or_for_what_is_wanted():
    once = held(described(ALL))
    again = resumed(once)
    assert ways(again) == [SENDRECV] * 4
    assert again.origin == once.origin.next_version()
    assert resumed(again) == again
    assert ways(resumed(once, described(ALL))) == [SENDRECV, SENDONLY, RECVONLY, INACTIVE]


def test_what_is_wanted_is_looked_up_by_slot_then_by_kind():
    former = described("m=video 1 RTP/AVP 31\nm=audio 2 RTP/AVP 0\nm=text 3 RTP/AVP 98")
    wanted = described("m=audio 2 RTP/AVP 0\na=sendonly\nm=video 1 RTP/AVP 31\na=recvonly")
    assert ways(resumed(former, wanted)) == [RECVONLY, SENDONLY, SENDRECV]
    assert ways(held(former, wanted)) == [INACTIVE, SENDONLY, SENDONLY]


def test_a_hold_upon_the_peers_hold_offers_what_we_want():
    """RFC 6337 §5.3: sendonly, not inactive, where only the peer's hold made the stream recvonly."""
    answer = described("m=audio 1 RTP/AVP 0\na=recvonly")
    assert ways(held(answer)) == [INACTIVE]
    assert ways(held(answer, described("m=audio 1 RTP/AVP 0"))) == [SENDONLY]


def test_refused_streams_and_groups_stay_as_they_are():
    former = described("m=audio 0 RTP/AVP 0\nm=audio 1 RTP/AVP 0\nc=IN IP4 233.252.0.1/16")
    assert held(former) == former


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("m=audio 1 RTP/AVP 0", False),
        ("m=audio 1 RTP/AVP 0\na=recvonly", False),
        ("m=audio 1 RTP/AVP 0\na=sendonly", True),
        ("m=audio 1 RTP/AVP 0\na=inactive", True),
        ("m=audio 1 RTP/AVP 0\nc=IN IP4 0.0.0.0", True),
        ("m=audio 1 RTP/AVP 0\nc=IN IP6 ::", True),
        ("m=audio 1 RTP/AVP 0\nc=IN IP4 nowhere.example", False),
        ("m=audio 1 RTP/AVP 0\na=sendonly\nm=video 2 RTP/AVP 31", False),
        ("m=audio 1 RTP/AVP 0\na=sendonly\nm=video 0 RTP/AVP 31", True),
        ("m=audio 1 RTP/AVP 0\nc=IN IP4 233.252.0.1/16\na=sendonly", False),
        ("m=audio 0 RTP/AVP 0\na=sendonly", False),
        ("", False),
    ],
)
def test_a_peer_holds_us_when_it_wants_to_receive_nothing(remote: str, expected: bool):
    assert is_held(described(remote)) is expected


def test_a_stream_without_an_address_is_held_by_its_direction():
    description = described("m=audio 1 RTP/AVP 0")
    description.connection = None
    assert not is_stream_held(description.media[0])


def test_both_hold_and_come_back_one_after_the_other():
    """RFC 6337 §5.3: each side says what it wants, and neither gets stuck."""
    ours, theirs = described("m=audio 1 RTP/AVP 0", user="ann"), described("m=audio 2 RTP/AVP 0")
    ann, bea = OfferAnswer(), OfferAnswer()

    def exchange(offerer: OfferAnswer, answerer: OfferAnswer, offer, capabilities, direction: str) -> tuple[str, str]:
        offerer.offer(offer)
        answerer.receive_offer(offer)
        answer = make_answer(offer, capabilities, Preferences(direction=direction), former=answerer.sent)
        answerer.answer(answer)
        offerer.receive_answer(answer)
        return ann.streams[0].direction, bea.streams[0].direction

    assert exchange(ann, bea, ours, theirs, SENDRECV) == (SENDRECV, SENDRECV)
    assert exchange(ann, bea, held(ann.local, ours), theirs, SENDRECV) == (SENDONLY, RECVONLY)
    assert is_held(bea.remote)
    assert exchange(bea, ann, held(bea.local, theirs), ours, SENDONLY) == (INACTIVE, INACTIVE)
    assert exchange(ann, bea, resumed(ann.local, ours), theirs, SENDONLY) == (RECVONLY, SENDONLY)
    assert exchange(bea, ann, resumed(bea.local, theirs), ours, SENDRECV) == (SENDRECV, SENDRECV)
    assert not is_held(ann.remote)
