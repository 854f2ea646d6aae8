import pytest

from ringback.sdp.answer import make_answer
from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.offer_answer import (
    ANSWER,
    LOCAL_OFFER,
    OFFER,
    RECEIVED_ANSWER,
    RECEIVED_OFFER,
    REMOTE_OFFER,
    ROLL_BACK,
    STABLE,
    TABLE,
    OfferAnswer,
    OfferPending,
)
from ringback.sdp.succession import renewed, succeeding
from tests.sdp.writing import described

AUDIO = "m=audio 30000 RTP/AVP 0 97\na=rtpmap:97 iLBC/8000"
OURS = described(AUDIO, user="ann", host="192.0.2.10")
THEIRS = described("m=audio 31000 RTP/AVP 0")


def established() -> OfferAnswer:
    session = OfferAnswer()
    session.offer(OURS)
    session.receive_answer(THEIRS)
    return session


def answered() -> OfferAnswer:
    """The same session, but the peer offered."""
    session = OfferAnswer()
    session.receive_offer(THEIRS)
    session.answer(make_answer(THEIRS, OURS))
    return session


def in_state(state: str) -> OfferAnswer:
    session = established()
    if state == LOCAL_OFFER:
        session.offer(succeeding(OURS, described("m=audio 30002 RTP/AVP 0")))
    elif state == REMOTE_OFFER:
        session.receive_offer(described("m=audio 31002 RTP/AVP 0", version=8))
    assert session.state == state
    return session


def stepped(session: OfferAnswer, step: str) -> None:
    if step == OFFER:
        session.offer(renewed(OURS))
    elif step == RECEIVED_OFFER:
        session.receive_offer(THEIRS)
    elif step == ANSWER:
        session.answer(renewed(OURS))
    elif step == RECEIVED_ANSWER:
        session.receive_answer(THEIRS)
    else:
        session.roll_back()


@pytest.mark.parametrize("state", [STABLE, LOCAL_OFFER, REMOTE_OFFER])
@pytest.mark.parametrize("step", [OFFER, RECEIVED_OFFER, ANSWER, RECEIVED_ANSWER, ROLL_BACK])
def test_each_step_leads_where_the_table_says_or_is_a_fault_that_changes_nothing(state: str, step: str):
    session = in_state(state)
    before = (session.state, session.local, session.remote, session.pending, session.sent)
    if (state, step) in TABLE:
        stepped(session, step)
        assert session.state == TABLE[state, step]
    else:
        with pytest.raises(SdpError if step in (RECEIVED_OFFER, RECEIVED_ANSWER) else ValueError):
            stepped(session, step)
        assert (session.state, session.local, session.remote, session.pending, session.sent) == before


def test_nothing_is_in_force_before_the_first_answer():
    session = OfferAnswer()
    assert (session.state, session.local, session.remote, session.streams) == (STABLE, None, None, [])
    session.offer(OURS)
    assert (session.state, session.local, session.remote, session.pending) == (LOCAL_OFFER, None, None, OURS)
    session.receive_answer(THEIRS)
    assert (session.state, session.local, session.remote, session.pending) == (STABLE, OURS, THEIRS, None)


def test_an_offer_of_the_peers_while_ours_is_open_is_glare():
    """RFC 3261 §14.2, RFC 3311 §5.2: 491."""
    with pytest.raises(OfferPending) as caught:
        in_state(LOCAL_OFFER).receive_offer(THEIRS)
    assert caught.value.status == 491


def test_an_offer_of_the_peers_before_its_last_one_is_answered_gets_500():
    """RFC 3311 §5.2."""
    with pytest.raises(OfferPending) as caught:
        in_state(REMOTE_OFFER).receive_offer(THEIRS)
    assert caught.value.status == 500


@pytest.mark.parametrize("state", [LOCAL_OFFER, REMOTE_OFFER])
def test_after_a_refused_offer_everything_is_as_before(state: str):
    """RFC 3264 §4, RFC 3261 §14.1: as if no re-INVITE had been issued."""
    session = in_state(state)
    session.roll_back()
    assert (session.state, session.local, session.remote, session.pending) == (STABLE, OURS, THEIRS, None)
    assert [stream.remote.port for stream in session.streams] == [31_000]


def test_a_refused_first_offer_leaves_no_session_and_binds_to_nothing():
    session = OfferAnswer()
    session.offer(OURS)
    session.roll_back()
    assert (session.state, session.local) == (STABLE, None)
    session.offer(described(AUDIO, user="eve", version=90))
    assert session.state == LOCAL_OFFER


def test_a_refused_offer_of_the_peers_leaves_no_session_either():
    session = OfferAnswer()
    session.receive_offer(THEIRS)
    session.roll_back()
    session.offer(OURS)
    assert session.pending is OURS


def test_the_version_of_a_refused_offer_is_not_used_for_another():
    """§8: one version is one description."""
    session = in_state(LOCAL_OFFER)
    refused = session.pending
    assert refused is not None
    session.roll_back()
    other = described("m=audio 30004 RTP/AVP 0", user="ann", host="192.0.2.10", version=8)
    with pytest.raises(ValueError, match="version of what has changed must be 9, not 8"):
        session.offer(other)
    session.offer(refused)
    session.roll_back()
    session.offer(renewed(OURS))
    session.roll_back()
    session.offer(succeeding(refused, other))
    assert session.pending is not None and session.pending.origin.version == 9


def test_the_next_edition_continues_what_was_sent_and_what_is_in_force_stays_what_it_is():
    other = described("m=audio 30004 RTP/AVP 0", user="eve", version=1)
    assert OfferAnswer().next_edition(other) == other
    session = in_state(LOCAL_OFFER)
    refused = session.pending
    session.roll_back()
    assert session.next_edition(other).origin == OURS.origin._replace(version=9)
    assert session.next_edition(described(AUDIO, host="192.0.2.10", user="eve")) == OURS
    assert refused is not None and session.next_edition(refused) == refused
    first = OfferAnswer()
    first.offer(OURS)
    first.roll_back()
    assert first.next_edition(other).origin == OURS.origin.next_version()


def test_the_same_offer_again_is_allowed_and_answered():
    """§8: an offer may be identical to what was given before, as an offer or as an answer."""
    for session in (established(), answered()):
        assert session.local is not None and session.remote is not None
        session.offer(renewed(session.local))
        session.receive_answer(renewed(session.remote))
        assert session.state == STABLE


@pytest.mark.parametrize(
    ("offer", "fault"),
    [
        (described("m=audio 30002 RTP/AVP 0", user="ann", host="192.0.2.10"), "must be 8, not 7"),
        (described("m=audio 30002 RTP/AVP 0", user="ann", host="192.0.2.10", version=9), "must be 8, not 9"),
        (described(AUDIO, user="eve", host="192.0.2.10", version=8), "only the version"),
        (described(AUDIO, user="ann", host="192.0.2.11", version=8), "only the version"),
        (described("", user="ann", host="192.0.2.10", version=8), "0 m= lines where the session has 1"),
    ],
)
def test_an_offer_of_ours_continues_the_session(offer: SessionDescription, fault: str):
    """§8: the o= line but for its version, which counts up by one; no m= line goes."""
    session = established()
    with pytest.raises(ValueError, match=fault):
        session.offer(offer)
    assert session.state == STABLE


def test_an_offer_of_ours_gives_no_payload_type_another_meaning():
    """§8.3.2."""
    session = established()
    with pytest.raises(ValueError, match="payload type 97 was iLBC before"):
        session.offer(described("m=audio 30000 RTP/AVP 97\na=rtpmap:97 speex/8000", user="ann", host="192.0.2.10", version=8))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", "0 m= lines where the offer has 1"),
        ("m=audio 31000 RTP/AVP 0\nm=audio 0 RTP/AVP 0", "2 m= lines where the offer has 1"),
        ("m=video 31000 RTP/AVP 0", "m= line 1: another kind of medium"),
        ("m=audio 31000 RTP/SAVP 0", "m= line 1: another protocol"),
        ("m=audio 31000 RTP/AVP 8", "m= line 1: no format in common"),
        ("m=audio 31000 RTP/AVP 0\nc=IN IP4 233.252.0.1/16", "m= line 1: the answer names another multicast address"),
    ],
)
def test_an_answer_of_the_peers_that_cannot_be_used_is_a_fault_and_the_offer_stays_open(answer: str, fault: str):
    session = OfferAnswer()
    session.offer(OURS)
    with pytest.raises(SdpError, match=fault):
        session.receive_answer(described(answer))
    assert (session.state, session.pending) == (LOCAL_OFFER, OURS)


@pytest.mark.parametrize(
    "answer",
    [
        "m=audio 31000 RTP/AVP 99\na=rtpmap:99 PCMU/8000",
        "m=AUDIO 31000 RTP/AVPF 0",
        "m=video 0 udp nothing",
        "m=audio 31000 RTP/AVP 8 0 96\na=rtpmap:96 opus/48000/2",
    ],
)
def test_an_answer_of_the_peers_that_is_only_odd_is_taken(answer: str):
    session = OfferAnswer()
    session.offer(OURS)
    session.receive_answer(described(answer))
    assert session.state == STABLE


def test_an_answer_that_claims_more_than_was_offered_is_read_as_what_is_possible():
    session = OfferAnswer()
    session.offer(described(AUDIO + "\na=sendonly\nm=video 0 RTP/AVP 31"))
    session.receive_answer(described("m=audio 31000 RTP/AVP 0\nm=video 31002 RTP/AVP 31"))
    assert [(stream.slot, stream.direction) for stream in session.streams] == [(0, "sendonly")]


@pytest.mark.parametrize(
    ("offer", "answer", "fault"),
    [
        ("m=audio 31000 RTP/AVP 0", "m=audio 30000 RTP/AVP 8", "no format in common"),
        ("m=audio 31000 RTP/AVP 0\na=sendonly", "m=audio 30000 RTP/AVP 0", "sendrecv does not answer sendonly"),
        ("m=audio 31000 RTP/AVP 0\na=recvonly", "m=audio 30000 RTP/AVP 0\na=recvonly", "recvonly does not answer recvonly"),
        ("m=audio 31000 RTP/AVP 0\na=inactive", "m=audio 30000 RTP/AVP 0\na=sendonly", "sendonly does not answer inactive"),
        ("m=audio 0 RTP/AVP 0", "m=audio 30000 RTP/AVP 0", "a port for a stream that is offered with port 0"),
    ],
)
def test_an_answer_of_ours_fits_its_offer(offer: str, answer: str, fault: str):
    """§6, §6.1, §8.2."""
    session = OfferAnswer()
    session.receive_offer(described(offer))
    with pytest.raises(ValueError, match=fault) as caught:
        session.answer(described(answer, user="ann"))
    assert not isinstance(caught.value, SdpError)
    assert session.state == REMOTE_OFFER


def test_an_answer_of_ours_has_the_time_of_its_offer():
    session = OfferAnswer()
    session.receive_offer(described(AUDIO, time="3900000000 3900003600"))
    with pytest.raises(ValueError, match="another time"):
        session.answer(OURS)


def test_an_answer_of_ours_is_not_signed_with_the_offers_origin():
    """§6."""
    session = OfferAnswer()
    session.receive_offer(THEIRS)
    with pytest.raises(ValueError, match="o= line is the offer's"):
        session.answer(described("m=audio 30000 RTP/AVP 0"))


@pytest.mark.parametrize(("session_id", "version"), [(2**63, 1), (1, 2**62 - 1)])
def test_a_session_of_ours_begins_with_numbers_that_leave_room(session_id: int, version: int):
    """§5."""
    description = SessionDescription.new("192.0.2.10", session_id=session_id, version=version)
    with pytest.raises(ValueError, match="too large to begin"):
        OfferAnswer().offer(description)
    description.origin = description.origin._replace(session_id=2**63 - 1, version=2**62 - 2)
    OfferAnswer().offer(description)


def test_an_answer_of_ours_continues_what_we_offered_before():
    session = in_state(REMOTE_OFFER)
    with pytest.raises(ValueError, match="only the version"):
        session.answer(described("m=audio 30000 RTP/AVP 0"))
    session.answer(make_answer(described("m=audio 31002 RTP/AVP 0", version=8), OURS, former=session.sent))
    assert session.local is not None and session.local.origin.version == 8


@pytest.mark.parametrize(
    "offer",
    [
        described("m=audio 31000 RTP/AVP 0", user="somebody", version=1),
        described("m=audio 31008 RTP/AVP 0"),
        described("m=audio 31000 RTP/AVP 0", version=12),
        described(""),
    ],
)
def test_what_a_peer_writes_of_sessions_and_versions_is_not_held_against_it(offer: SessionDescription):
    session = established()
    session.receive_offer(offer)
    assert (session.state, session.pending) == (REMOTE_OFFER, offer)


def test_an_offer_with_fewer_lines_than_before_is_answered_line_by_line_and_the_session_goes_on():
    session = OfferAnswer()
    session.offer(described(AUDIO + "\nm=video 30002 RTP/AVP 31", user="ann"))
    session.receive_answer(described("m=audio 31000 RTP/AVP 0\nm=video 0 RTP/AVP 31"))
    session.receive_offer(described("m=audio 31000 RTP/AVP 0", version=8))
    assert session.pending is not None
    session.answer(make_answer(session.pending, OURS, former=session.sent))
    assert [stream.slot for stream in session.streams] == [0]
    assert session.local is not None
    session.offer(renewed(session.local))


def test_whether_an_offer_changes_anything_is_told_by_its_version_and_by_the_rest():
    """RFC 3261 §14.2."""
    session = established()
    assert not session.has_changed(SessionDescription.parse(THEIRS.to_bytes()))
    assert session.has_changed(described("m=audio 31000 RTP/AVP 0", version=8))
    assert session.has_changed(described("m=audio 31008 RTP/AVP 0"))
    assert OfferAnswer().has_changed(THEIRS)


def test_a_slot_may_be_used_again_for_a_stream_of_another_kind():
    """§8.1, §8.3.3: a new stream in the place of one that was given up, with numbers of its own."""
    session = established()
    closed = succeeding(OURS, described("m=audio 0 RTP/AVP 0"))
    session.offer(closed)
    session.receive_answer(described("m=audio 0 RTP/AVP 0", version=8))
    assert session.streams == []
    session.offer(succeeding(closed, described("m=video 30002 RTP/AVP 97\na=rtpmap:97 H264/90000")))
    session.receive_answer(described("m=video 31002 RTP/AVP 97\na=rtpmap:97 H264/90000", version=9))
    assert [(stream.remote.kind, stream.codecs[0].name) for stream in session.streams] == [("video", "H264")]


def test_fax_may_take_the_place_of_voice():
    """§8.3.3."""
    session = established()
    session.offer(succeeding(OURS, described("m=image 30000 udptl t38")))
    session.receive_answer(described("m=image 31000 udptl t38", version=8))
    assert [(stream.remote.kind, stream.codecs) for stream in session.streams] == [("image", ())]
