"""Two parties exchange offers at random – hold, resume, add, remove, change, refuse – and always agree on what is in force."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringback.sdp.answer import NotAcceptable, Preferences, make_answer
from ringback.sdp.codec import PCMA, PCMU, STATIC, TELEPHONE_EVENT, Codec
from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV, mirrored
from ringback.sdp.hold import held, is_held, resumed
from ringback.sdp.media import MediaDescription
from ringback.sdp.offer import make_offer
from ringback.sdp.offer_answer import STABLE, OfferAnswer
from ringback.sdp.slot import refused
from ringback.sdp.succession import renewed

OPUS, SPEEX, H264 = ("opus", 48_000), ("speex", 16_000), ("H264", 90_000)
DYNAMIC_NUMBERS = st.permutations(range(96, 104))


@st.composite
def audio_codecs(draw: st.DrawFn) -> list[Codec]:
    """Some codecs with numbers that each party hands out as it likes; G.711 is always there, as in nearly every phone."""
    numbers = list(draw(DYNAMIC_NUMBERS))
    dynamic = [Codec(numbers.pop(), name, rate) for name, rate in (OPUS, SPEEX)]
    some = draw(st.lists(st.sampled_from([PCMA, STATIC[9], *dynamic, TELEPHONE_EVENT._replace(payload_type=numbers.pop())]), unique=True))
    return draw(st.permutations([PCMU, *some]))


@st.composite
def media(draw: st.DrawFn, port: int) -> MediaDescription:
    direction = draw(st.sampled_from([SENDRECV, SENDRECV, SENDRECV, SENDONLY, RECVONLY, INACTIVE]))
    kind = draw(st.sampled_from(["audio", "audio", "video", "image"]))
    if kind == "image":
        medium = MediaDescription("image", port, "udptl", ["t38"])
    else:
        medium = MediaDescription(kind, port, "RTP/AVP")
        medium.codecs = draw(audio_codecs()) if kind == "audio" else [STATIC[31], Codec(draw(st.integers(96, 103)), *H264)]
    medium.direction = direction
    return medium


@st.composite
def capabilities(draw: st.DrawFn, host: str, session_id: int) -> SessionDescription:
    ports = range(10_000, 10_000 + 2 * draw(st.integers(1, 4)), 2)
    return SessionDescription.new(host, session_id=session_id, media=[draw(media(port)) for port in ports])


class Party:
    def __init__(self, own: SessionDescription) -> None:
        self.session = OfferAnswer()
        self.own = own
        self.direction = SENDRECV


class TwoParties(RuleBasedStateMachine):
    @initialize(first=capabilities("192.0.2.1", 81), second=capabilities("192.0.2.2", 92))
    def begin(self, first: SessionDescription, second: SessionDescription) -> None:
        self.parties = (Party(first), Party(second))
        self.exchange(0, first.copy())

    def exchange(self, number: int, offer: SessionDescription) -> bool:
        """One offer over the wire and back; False where it was refused."""
        offerer, answerer = self.parties[number], self.parties[1 - number]
        before = (offerer.session.local, offerer.session.remote, answerer.session.local, answerer.session.remote)
        offerer.session.offer(offer)
        received = SessionDescription.parse(offer.to_bytes())
        answerer.session.receive_offer(received)
        try:
            answer = make_answer(received, answerer.own, Preferences(direction=answerer.direction), former=answerer.session.sent)
        except NotAcceptable:
            answerer.session.roll_back()
            offerer.session.roll_back()
            assert before == (offerer.session.local, offerer.session.remote, answerer.session.local, answerer.session.remote)
            return False
        answerer.session.answer(answer)
        offerer.session.receive_answer(SessionDescription.parse(answer.to_bytes()))
        return True

    @rule(number=st.integers(0, 1), refused_by_user=st.booleans())
    def offer_all(self, number: int, refused_by_user: bool) -> None:
        party, peer = self.parties[number], self.parties[1 - number]
        offer = make_offer(party.session, party.own, direction=party.direction)
        if refused_by_user:
            local = party.session.local
            party.session.offer(offer)
            peer.session.receive_offer(SessionDescription.parse(offer.to_bytes()))
            party.session.roll_back()
            peer.session.roll_back()
            assert party.session.local is local
        else:
            self.exchange(number, offer)

    @rule(number=st.integers(0, 1))
    def hold(self, number: int) -> None:
        party = self.parties[number]
        if party.session.local is not None:
            party.direction = SENDONLY
            offer = party.session.next_edition(held(party.session.local, party.own))
            if self.exchange(number, offer) and party.session.streams:
                remote = self.parties[1 - number].session.remote
                assert remote is not None and is_held(remote)

    @rule(number=st.integers(0, 1))
    def resume(self, number: int) -> None:
        party = self.parties[number]
        if party.session.local is not None:
            party.direction = SENDRECV
            self.exchange(number, party.session.next_edition(resumed(party.session.local, party.own)))

    @rule(number=st.integers(0, 1))
    def refresh(self, number: int) -> None:
        party, peer = self.parties[number], self.parties[1 - number]
        if party.session.local is not None:
            offer = renewed(party.session.local)
            assert not peer.session.has_changed(SessionDescription.parse(offer.to_bytes()))
            if self.exchange(number, offer):
                answer = party.session.remote
                assert self.exchange(number, renewed(offer))
                assert party.session.remote == answer

    @rule(number=st.integers(0, 1), data=st.data())
    def remove(self, number: int, data: st.DataObject) -> None:
        party = self.parties[number]
        local = party.session.local
        if local is not None and local.media:
            slot = data.draw(st.integers(0, len(local.media) - 1))
            offer = local.copy()
            offer.media[slot] = refused(offer.media[slot])
            if self.exchange(number, party.session.next_edition(offer)):
                assert slot not in [stream.slot for stream in party.session.streams]

    @rule(number=st.integers(0, 1), data=st.data())
    def change_what_one_can_do(self, number: int, data: st.DataObject) -> None:
        party = self.parties[number]
        party.own = data.draw(capabilities(party.own.origin.host, party.own.origin.session_id))

    @invariant()
    def both_sides_agree(self) -> None:
        one, other = [party.session for party in self.parties]
        assert one.state == other.state == STABLE
        assert one.pending is other.pending is None
        assert (one.local, one.remote) == (other.remote, other.local)
        assert one.local is None or one.remote is None or len(one.local.media) == len(one.remote.media)

    @invariant()
    def streams_mirror_each_other(self) -> None:
        one, other = [party.session.streams for party in self.parties]
        assert [stream.slot for stream in one] == [stream.slot for stream in other]
        for ours, theirs in zip(one, other, strict=True):
            assert ours.direction == mirrored(theirs.direction)
            # One of the two is the answer: what it lists was offered, so each may send all that the other takes.
            assert [str(codec) for codec in ours.codecs] == [str(codec) for codec in theirs.codecs]
            assert bool(ours.codecs) == (ours.local.kind != "image")

    @invariant()
    def each_version_is_one_description_and_no_number_changes_its_meaning(self) -> None:
        for party in self.parties:
            local = party.session.local
            if local is not None:
                assert party.session.sent is not None and party.session.sent.origin.version >= local.origin.version
                assert party.session.payload_types.fault(local) is None


TestTwoParties = TwoParties.TestCase
