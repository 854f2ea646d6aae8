import pytest

from ringback.sdp.codec import PCMA, PCMU, STATIC, TELEPHONE_EVENT, Codec
from ringback.sdp.format import agreed_codecs, is_same_configuration

G729, COMFORT = STATIC[18], STATIC[13]


def audio(name: str, fmtp: str | None = None, number: int = 97, rate: int = 8_000) -> Codec:
    return Codec(number, name, rate, fmtp=fmtp)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (audio("AMR"), audio("amr", "octet-align=0"), True),
        (audio("AMR", "octet-align=1; mode-set=7"), audio("AMR", "mode-set=0,7;octet-align=1"), True),
        (audio("AMR", "octet-align=1"), audio("AMR"), False),
        (audio("AMR-WB", "octet-align=1", rate=16_000), audio("AMR-WB", rate=16_000), False),
        (audio("G7221", "bitrate=24000", rate=16_000), audio("G7221", "bitrate=32000", rate=16_000), False),
        (audio("H264", "profile-level-id=42E01F", rate=90_000), audio("H264", "profile-level-id=42e01f", rate=90_000), True),
        (audio("H264", "packetization-mode=1", rate=90_000), audio("H264", rate=90_000), False),
        (audio("opus", "useinbandfec=1"), audio("opus", "stereo=1"), True),
        (audio("opus"), audio("speex"), False),
        (audio("opus"), audio("opus", rate=16_000), False),
        (audio("red", "96/96"), audio("red", "96/96"), False),
        (audio("rtx", "apt=96"), audio("rtx", "apt=96"), False),
    ],
)
def test_formats_are_one_when_name_rate_channels_and_configuration_are(one: Codec, other: Codec, expected: bool):
    assert is_same_configuration(one, other) is is_same_configuration(other, one) is expected


@pytest.mark.parametrize(
    ("offered", "own", "answered"),
    [
        (audio("AMR", "octet-align=1;mode-set=7", 96), audio("AMR", "octet-align=1;max-red=0"), "octet-align=1;max-red=0"),
        (audio("AMR", "octet-align=0;mode-set=7", 96), audio("AMR"), "octet-align=0"),
        (audio("AMR", "octet-align=0", 96), audio("AMR", "max-red=0"), "max-red=0;octet-align=0"),
        (audio("opus", "useinbandfec=1", 96), audio("opus"), None),
        (audio("opus", None, 96), audio("opus", "maxaveragebitrate=20000"), "maxaveragebitrate=20000"),
        (G729._replace(fmtp="annexb=no"), G729, "annexb=no"),
        (G729._replace(fmtp="annexb=no"), G729._replace(fmtp="annexb=yes"), "annexb=no"),
        (G729, G729._replace(fmtp="annexb=no"), "annexb=no"),
        (G729, G729, None),
        (audio("iLBC", "mode=20"), audio("iLBC", "mode=20"), "mode=20"),
        (audio("iLBC"), audio("iLBC", "mode=20"), "mode=30"),
        (audio("iLBC", "mode=30"), audio("iLBC", "mode=20"), "mode=30"),
        (audio("iLBC", "mode=20"), audio("iLBC"), None),
        (TELEPHONE_EVENT._replace(fmtp="0-16,66"), TELEPHONE_EVENT, "0-15"),
        (audio("G7221", "flag;bitrate=24000"), audio("G7221", "bitrate=24000;odd"), "bitrate=24000;odd"),
        (audio("AMR", "crc=0"), audio("AMR", "odd"), "odd;crc=0"),
    ],
)
def test_the_answer_has_our_parameters_and_what_must_be_repeated(offered: Codec, own: Codec, answered: str | None):
    """RFC 3264 §6.1."""
    assert agreed_codecs([offered], [own]) == [offered._replace(fmtp=answered)]


def test_events_alone_make_no_conversation_unless_nothing_else_was_offered():
    assert agreed_codecs([PCMU, TELEPHONE_EVENT, COMFORT], [PCMA, TELEPHONE_EVENT, COMFORT]) == []
    assert agreed_codecs([TELEPHONE_EVENT], [PCMA, TELEPHONE_EVENT]) == [TELEPHONE_EVENT]
    assert agreed_codecs([], [PCMA]) == []


def test_a_codec_offered_under_two_numbers_is_answered_under_both():
    assert agreed_codecs([PCMU, PCMU._replace(payload_type=97)], [PCMU]) == [PCMU, PCMU._replace(payload_type=97)]


def test_a_name_outside_ascii_is_compared_as_it_is():
    assert not is_same_configuration(audio("ÅMR"), audio("åMR"))
