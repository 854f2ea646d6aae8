import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.auth_params import parse_auth_params, render_auth_params, split_scheme
from ringback.message.grammar import MAX_PARAMS


def test_pairs_are_kept_as_written() -> None:
    params = parse_auth_params('Realm = "a, \\"b\\"" ,nc=00000001')
    assert params == {"realm": '"a, \\"b\\""', "nc": "00000001"}
    assert render_auth_params(params) == 'realm="a, \\"b\\"", nc=00000001'


@pytest.mark.parametrize("text", ["", " ", "a", "a=", "=b", "a=b c", 'a="b', "a=b,,c=d", "a=b,A=c", "a b=c", "é=a", "a=é"])
def test_what_are_none(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_auth_params(text)


def test_their_number_is_limited() -> None:
    at_limit = ",".join([f"p{n}=1" for n in range(MAX_PARAMS)])
    assert len(parse_auth_params(at_limit)) == MAX_PARAMS
    with pytest.raises(SipParseError, match="too many"):
        parse_auth_params(at_limit + ",one=more")


def test_the_scheme() -> None:
    assert split_scheme('Digest \t a="b\tc"') == ("Digest", 'a="b\tc"')
    for text in ("", "Digest", "Digest ", ' a="b"', "Di/gest a=b"):
        with pytest.raises(SipParseError):
            split_scheme(text)
