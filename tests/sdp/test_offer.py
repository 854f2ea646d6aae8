import pytest

from ringback.sdp.answer import make_answer
from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.offer import make_offer
from ringback.sdp.offer_answer import OfferAnswer
from tests.sdp.writing import below_the_session, described

AUDIO = "m=audio 30000 RTP/AVP 0 97\na=rtpmap:97 opus/48000/2"
VIDEO = "m=video 30002 RTP/AVP 31"


def ours(text: str, version: int = 7) -> SessionDescription:
    return described(text, user="ann", host="192.0.2.10", version=version)


def answering(theirs: str, capabilities: SessionDescription) -> OfferAnswer:
    """A session that the peer began."""
    session = OfferAnswer()
    offer = described(theirs)
    session.receive_offer(offer)
    session.answer(make_answer(offer, capabilities))
    return session


def media_lines(description: SessionDescription) -> list[str]:
    return [line for line in below_the_session(description) if line.startswith("m=")]


def test_the_first_offer_is_what_we_can_do():
    capabilities = ours(AUDIO + "\n" + VIDEO)
    offer = make_offer(OfferAnswer(), capabilities)
    assert offer == capabilities
    assert offer is not capabilities


def test_an_offer_upon_a_refused_first_one_counts_on():
    session = OfferAnswer()
    session.offer(ours(AUDIO))
    session.roll_back()
    assert make_offer(session, ours(VIDEO)).origin.version == 8


def test_an_offer_that_changes_nothing_is_the_same_again():
    capabilities = ours("m=audio 30000 RTP/AVP 0\na=sendrecv\na=rtpmap:0 PCMU/8000")
    session = answering("m=audio 31000 RTP/AVP 0", capabilities)
    assert make_offer(session, capabilities) == session.local


def test_a_later_offer_has_all_we_can_do_not_only_what_was_agreed():
    """RFC 3261 §14.2, RFC 6337 §5.2.5: refused video is tried again in its old place."""
    session = answering("m=video 0 RTP/AVP 31\nm=audio 31000 RTP/AVP 0", ours(AUDIO + "\n" + VIDEO))
    offer = make_offer(session, ours(AUDIO + "\n" + VIDEO))
    assert media_lines(offer) == ["m=video 30002 RTP/AVP 31", "m=audio 30000 RTP/AVP 0 97"]
    assert offer.origin.version == 8
    session.offer(offer)


def test_what_is_new_takes_empty_places_first_those_of_its_kind_then_any_then_further_ones():
    """RFC 3264 §8.1."""
    session = answering("m=text 0 RTP/AVP 98\nm=video 0 RTP/AVP 31\nm=audio 31000 RTP/AVP 0", ours(AUDIO))
    offer = make_offer(session, ours(VIDEO + "\nm=image 30004 udptl t38\nm=application 30006 UDP/BFCP *\n" + AUDIO))
    assert media_lines(offer) == [
        "m=video 30002 RTP/AVP 31",
        "m=image 30004 udptl t38",
        "m=audio 30000 RTP/AVP 0 97",
        "m=application 30006 UDP/BFCP *",
    ]
    session.offer(offer)


def test_of_several_new_ones_each_empty_place_gets_one_of_its_own_kind():
    session = answering("m=video 0 RTP/AVP 31\nm=audio 31000 RTP/AVP 0", ours(AUDIO))
    offer = make_offer(session, ours(f"m=image 30004 udptl t38\n{VIDEO}\n{AUDIO}"))
    assert media_lines(offer) == ["m=video 30002 RTP/AVP 31", "m=audio 30000 RTP/AVP 0 97", "m=image 30004 udptl t38"]


def test_what_we_no_longer_can_is_given_up_and_keeps_its_place():
    """RFC 3264 §8.2."""
    session = answering("m=video 31002 RTP/AVP 31\nm=text 0 RTP/AVP 98\nm=audio 31000 RTP/AVP 0", ours(AUDIO + "\n" + VIDEO))
    offer = make_offer(session, ours(AUDIO))
    assert media_lines(offer) == ["m=video 0 RTP/AVP 31", "m=text 0 RTP/AVP 98", "m=audio 30000 RTP/AVP 0 97"]
    session.offer(offer)


def test_a_codec_keeps_the_number_that_the_peer_gave_it_and_another_takes_a_free_one():
    """RFC 3264 §8.3.2: no number changes its meaning."""
    capabilities = ours("m=audio 30000 RTP/AVP 97 98 0\na=rtpmap:97 opus/48000/2\na=rtpmap:98 speex/8000")
    session = answering("m=audio 31000 RTP/AVP 98 97\na=rtpmap:98 opus/48000/2\na=rtpmap:97 L16/16000", capabilities)
    offer = make_offer(session, capabilities)
    assert below_the_session(offer)[:4] == [
        "m=audio 30000 RTP/AVP 98 96 0",
        "a=rtpmap:98 opus/48000/2",
        "a=rtpmap:96 speex/8000",
        "a=rtpmap:0 PCMU/8000",
    ]
    session.offer(offer)


def test_the_offer_after_a_refused_one_stands_on_what_is_in_force():
    """RFC 3264 §4: but the version goes on."""
    session = answering("m=audio 31000 RTP/AVP 0", ours(AUDIO))
    session.offer(make_offer(session, ours(AUDIO + "\n" + VIDEO)))
    session.roll_back()
    offer = make_offer(session, ours(AUDIO))
    assert media_lines(offer) == ["m=audio 30000 RTP/AVP 0 97"]
    assert offer.origin.version == 9
    session.offer(offer)


@pytest.mark.parametrize(("own", "expected"), [(SENDRECV, SENDONLY), (RECVONLY, INACTIVE), (SENDONLY, SENDONLY)])
def test_while_we_hold_the_peer_every_offer_says_so(own: str, expected: str):
    """RFC 6337 §5.3."""
    offer = make_offer(OfferAnswer(), ours(f"{AUDIO}\na={own}\nm=video 0 RTP/AVP 31"), direction=SENDONLY)
    assert offer.media[0].direction == expected
    assert offer.media[1].lines == []
