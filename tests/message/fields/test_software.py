import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.software import Software


@pytest.mark.parametrize(
    ("text", "products"),
    [
        ("HomeServer v2", ["HomeServer", "v2"]),
        ("SIPimp.org/0.2.5 (curses)", ["SIPimp.org/0.2.5"]),
        ("a / b(c (d) \\) e)f", ["a/b", "f"]),
        ("(only ü)", []),
    ],
)
def test_products(text: str, products: list[str]) -> None:
    software = Software.parse(text)
    assert software.products == products
    assert Software.parse(str(software)) == software


@pytest.mark.parametrize("text", ["", "/1", "a/", "a/b/c", "a (b", "a, b", "é", "a b)"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Software.parse(text)


def test_equality() -> None:
    assert Software("a", "(b)") == Software.parse("a  (b)")
    assert hash(Software("a")) == hash(Software.parse("a"))
    assert Software("a") != Software("b")
    assert Software("a") != "a"
    assert repr(Software("a")) == "<Software a>"


def test_a_value_holds_256_products_and_no_more() -> None:
    assert len(Software.parse(" ".join(["a"] * 256)).items) == 256
    with pytest.raises(SipParseError, match="too many products"):
        Software.parse(" ".join(["a"] * 257))
