from ringback.sdp.codec import Codec
from ringback.sdp.payload_types import PayloadTypes
from tests.sdp.writing import described


def audio(*codecs: str) -> str:
    """An m= line of dynamic codecs, each `number name`, all at 8000 Hz."""
    numbers = [codec.partition(" ")[0] for codec in codecs]
    return "\n".join([f"m=audio 30000 RTP/AVP {' '.join(numbers)}", *[f"a=rtpmap:{codec}/8000" for codec in codecs]])


def learned(local: str, remote: str | None = None) -> PayloadTypes:
    types = PayloadTypes()
    types.learn(described(local), described(local if remote is None else remote))
    return types


def renumbered(types: PayloadTypes, text: str) -> list[tuple[int, str]]:
    description = described(text)
    types.renumber(description)
    assert types.fault(description) is None
    return [(codec.payload_type, codec.name) for codec in description.media[0].codecs]


def test_numbers_of_both_sides_are_known_for_good():
    types = learned(audio("97 opus"), audio("98 opus", "99 speex"))
    types.learn(described(audio("97 opus")), described(audio("97 opus")))
    assert types.fault(described(audio("99 iLBC"))) == "m= line 1: payload type 99 was speex before"
    assert types.fault(described(audio("98 opus", "96 iLBC"))) is None


def test_static_numbers_and_unknown_slots_are_no_matter():
    types = learned("m=audio 30000 RTP/AVP 0")
    assert types.fault(described("m=audio 30000 RTP/AVP 0\nm=audio 30002 RTP/AVP 97\na=rtpmap:97 opus/48000")) is None


def test_a_stream_given_up_takes_its_numbers_with_it():
    for local, remote in (("m=audio 0 RTP/AVP 0", audio("97 opus")), (audio("97 opus"), "m=audio 0 RTP/AVP 0")):
        types = learned(audio("97 opus"))
        types.learn(described(local), described(remote))
        assert types.fault(described(audio("97 speex"))) is None


def test_a_stream_of_another_kind_begins_anew():
    types = learned(audio("97 opus"))
    assert types.fault(described("m=video 30000 RTP/AVP 97\na=rtpmap:97 H264/90000")) is None
    video = "m=video 30000 RTP/AVP 97\na=rtpmap:97 H264/90000"
    types.learn(described(video), described(video))
    assert types.fault(described(audio("97 speex"))) is None
    assert types.fault(described(video.replace("H264", "VP8"))) == "m= line 1: payload type 97 was H264 before"


def test_an_offer_with_the_stream_given_up_is_no_fault():
    types = learned(audio("97 opus"))
    assert types.fault(described("m=audio 0 RTP/AVP 97\na=rtpmap:97 speex/8000")) is None


def test_codecs_take_their_former_numbers_and_new_ones_what_is_free():
    types = learned(audio("97 opus", "98 speex"))
    assert renumbered(types, audio("98 opus", "97 iLBC", "99 speex")) == [(97, "opus"), (96, "iLBC"), (98, "speex")]
    assert renumbered(types, audio("97 opus", "100 iLBC")) == [(97, "opus"), (100, "iLBC")]


def test_of_several_former_numbers_the_present_one_or_the_one_with_the_same_parameters_is_taken():
    both = audio("97 AMR", "98 AMR") + "\na=fmtp:98 octet-align=1"
    types = learned(both)
    assert renumbered(types, audio("98 AMR")) == [(98, "AMR")]
    assert renumbered(types, audio("99 AMR") + "\na=fmtp:99 octet-align=1") == [(98, "AMR")]
    assert renumbered(types, audio("99 AMR") + "\na=fmtp:99 crc=1") == [(97, "AMR")]
    assert renumbered(types, audio("99 AMR", "100 AMR", "101 AMR")) == [(97, "AMR"), (98, "AMR"), (101, "AMR")]


def test_a_codec_for_which_no_number_is_left_is_left_out():
    numbers = [*range(96, 128), *range(35, 64)]
    types = learned(audio(*[f"{number} c{number}" for number in numbers]))
    assert renumbered(types, audio("97 new", "98 c97")) == [(97, "c97")]


def test_other_protocols_and_streams_given_up_are_not_renumbered():
    types = learned(audio("97 opus"))
    for text in (
        "m=audio 30000 TCP/MSRP *",
        "m=audio 0 RTP/AVP 98\na=rtpmap:98 opus/8000",
        "m=video 30000 RTP/AVP 98\na=rtpmap:98 opus/8000",
    ):
        description = described(text)
        types.renumber(description)
        assert description == described(text)


def test_what_needs_no_other_number_stays_untouched():
    types = learned(audio("97 opus"))
    description = described("m=audio 30000 RTP/AVP 97 0\na=rtpmap:97 opus/8000")
    types.renumber(description)
    assert description.media[0].codecs == [Codec(97, "opus", 8_000), Codec(0, "PCMU", 8_000)]
    assert "rtpmap:0" not in str(description)
