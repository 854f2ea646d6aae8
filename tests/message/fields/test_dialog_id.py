import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.dialog_id import DialogId, Join, Replaces, TargetDialog
from ringback.message.grammar import MAX_IDENTIFIER


def test_replaces() -> None:
    value = Replaces.parse("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff;early-only")
    assert (value.call_id, value.to_tag, value.from_tag, value.early_only) == ("98732@sip.example.com", "ff87ff", "r33th4x0r", True)
    assert str(value) == "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only"
    assert repr(value) == f"<Replaces {value}>"
    assert not Replaces.parse("a;to-tag=1;from-tag=2").early_only


def test_join_and_target_dialog() -> None:
    join = Join.parse("a@b;to-tag=1;from-tag=2")
    assert (join.call_id, join.to_tag, join.from_tag) == ("a@b", "1", "2")
    target = TargetDialog.parse("fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544")
    assert (target.call_id, target.local_tag, target.remote_tag) == ("fa77as7dad8-sd98ajzz@host.example.com", "kkaz-", "6544")


@pytest.mark.parametrize("kind", [Replaces, Join, TargetDialog])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a;to-tag=1",
        "a;remote-tag=1",
        "a;from-tag=1;to-tag",
        'a;from-tag=1;to-tag="x"',
        ";to-tag=1;from-tag=2",
        "a b;to-tag=1;from-tag=2",
        "a;to-tag=1;to-tag=1;from-tag=2",
        f"a;to-tag={'t' * (MAX_IDENTIFIER + 1)};from-tag=2",
    ],
)
def test_what_is_none(kind: type[DialogId], text: str) -> None:
    with pytest.raises(SipParseError):
        kind.parse(text)


def test_equality_minds_the_kind() -> None:
    text = "a;to-tag=1;from-tag=2"
    assert Replaces.parse(text) == Replaces.parse("a;from-tag=2;to-tag=1")
    assert hash(Replaces.parse(text)) == hash(Replaces.parse("a;from-tag=2;to-tag=1"))
    assert Replaces.parse(text) != Join.parse(text)
    assert Join.parse(text) != Join.parse("b;to-tag=1;from-tag=2")
