"""The exchanges of RFC 3264 §10 with parties and addresses of our own: what each side writes is made, not given."""

from ringback.sdp.answer import make_answer
from ringback.sdp.codec import PCMU, STATIC, Codec
from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.media import MediaDescription
from ringback.sdp.offer_answer import LOCAL_OFFER, STABLE, OfferAnswer
from ringback.sdp.succession import succeeding
from tests.sdp.writing import below_the_session

H261, MPV, G723, G729 = STATIC[31], STATIC[32], STATIC[4], STATIC[18]
EVENTS = Codec(110, "telephone-event", 8_000)


def video(port: int, codec: Codec) -> MediaDescription:
    medium = MediaDescription("video", port, "RTP/AVP")
    medium.codecs = [codec]
    return medium


def party(host: str, session_id: int, *media: MediaDescription) -> SessionDescription:
    return SessionDescription.new(host, session_id=session_id, media=media)


def over_the_wire(description: SessionDescription) -> SessionDescription:
    return SessionDescription.parse(description.to_bytes())


def exchange(
    offerer: OfferAnswer, answerer: OfferAnswer, offer: SessionDescription, capabilities: SessionDescription
) -> SessionDescription:
    offerer.offer(offer)
    assert offerer.state == LOCAL_OFFER
    received = over_the_wire(offer)
    answerer.receive_offer(received)
    answer = make_answer(received, capabilities, former=answerer.sent)
    answerer.answer(answer)
    offerer.receive_answer(over_the_wire(answer))
    assert offerer.state == answerer.state == STABLE
    assert offerer.local == answerer.remote == offer
    assert offerer.remote == answerer.local == answer
    return answer


def test_10_1_basic_exchange():
    """One of two video streams is refused; later the answerer changes a port and adds a stream to receive events on."""
    ann, ben = OfferAnswer(), OfferAnswer()
    audio = MediaDescription.audio(40_000, [PCMU])
    offer = party("192.0.2.1", 81, audio, video(41_000, H261), video(42_000, MPV))
    of_ben = party("192.0.2.2", 92, MediaDescription.audio(50_000, [PCMU]), video(52_000, MPV))

    answer = exchange(ann, ben, offer, of_ben)
    assert below_the_session(answer) == [
        "m=audio 50000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv",
        "m=video 0 RTP/AVP 31",
        "m=video 52000 RTP/AVP 32", "a=rtpmap:32 MPV/90000", "a=sendrecv",
    ]  # fmt: skip
    assert [(stream.slot, stream.remote.port) for stream in ann.streams] == [(0, 50_000), (2, 52_000)]
    assert [(stream.slot, stream.remote.port) for stream in ben.streams] == [(0, 40_000), (2, 42_000)]

    changed = answer.copy()
    changed.media[0].port = 50_100
    changed.media.append(MediaDescription.audio(53_000, [EVENTS], direction=RECVONLY))
    of_ann = party("192.0.2.1", 81, audio, video(42_000, MPV), MediaDescription.audio(43_000, [EVENTS]))
    second = exchange(ben, ann, succeeding(answer, changed), of_ann)
    assert below_the_session(second) == [
        "m=audio 40000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv",
        "m=video 0 RTP/AVP 31",
        "m=video 42000 RTP/AVP 32", "a=rtpmap:32 MPV/90000", "a=sendrecv",
        "m=audio 43000 RTP/AVP 110", "a=rtpmap:110 telephone-event/8000", "a=sendonly",
    ]  # fmt: skip
    assert (second.origin.session_id, second.origin.version) == (81, 2)
    assert ben.local is not None and (ben.local.origin.session_id, ben.local.origin.version) == (92, 2)
    assert [(stream.slot, stream.direction, stream.remote.port) for stream in ann.streams] == [
        (0, SENDRECV, 50_100), (2, SENDRECV, 52_000), (3, SENDONLY, 53_000),
    ]  # fmt: skip


def test_10_2_one_of_n_codecs():
    """A first exchange with the stream inactive finds the codecs in common, a second one settles on one of them."""
    ann, ben = OfferAnswer(), OfferAnswer()
    of_ben = party("192.0.2.2", 92, MediaDescription.audio(50_000, [PCMU, G723]))
    offer = party("192.0.2.1", 81, MediaDescription.audio(40_000, [PCMU, G723, G729], direction=INACTIVE))

    answer = exchange(ann, ben, offer, of_ben)
    assert below_the_session(answer) == [
        "m=audio 50000 RTP/AVP 0 4", "a=rtpmap:0 PCMU/8000", "a=rtpmap:4 G723/8000", "a=inactive",
    ]  # fmt: skip
    assert [stream.direction for stream in ann.streams] == [INACTIVE]

    settled = offer.copy()
    settled.media[0].codecs = [G723]
    settled.media[0].direction = SENDRECV
    second = exchange(ann, ben, succeeding(offer, settled), of_ben)
    assert below_the_session(second) == ["m=audio 50000 RTP/AVP 4", "a=rtpmap:4 G723/8000", "a=sendrecv"]
    assert second.origin == answer.origin.next_version()
    assert [(stream.direction, stream.codecs) for stream in ann.streams] == [(SENDRECV, (G723,))]
