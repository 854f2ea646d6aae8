import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event, SubscriptionState


def test_package_templates_and_id() -> None:
    event = Event.parse("presence.winfo.x;id=7;y")
    assert (event.package, event.templates, event.id) == ("presence", ["winfo", "x"], "7")
    assert str(event) == "presence.winfo.x;id=7;y"
    plain = Event.parse("dialog")
    assert (plain.package, plain.templates, plain.id) == ("dialog", [], None)


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a b", "a;"])
def test_what_is_no_event(text: str) -> None:
    with pytest.raises(SipParseError):
        Event.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a;id=1", "a;x;id=1", True),
        ("a", "a;x", True),
        ("a", "A", False),
        ("a;id=1", "a", False),
        ("a;id=1", "a;id=2", False),
        ("a.b", "a", False),
    ],
)
def test_which_subscription(one: str, other: str, same: bool) -> None:
    assert Event.parse(one).matches(Event.parse(other)) is same


def test_subscription_state() -> None:
    state = SubscriptionState.parse("Terminated;reason=NoResource;retry-after=60;expires=0")
    assert (state.value, state.reason, state.retry_after, state.expires) == ("terminated", "noresource", 60, 0)
    active = SubscriptionState.parse("active")
    assert (active.reason, active.retry_after, active.expires) == (None, None, None)


@pytest.mark.parametrize("name", ["expires", "retry-after"])
@pytest.mark.parametrize("value", ["", "=x", "=4294967296"])
def test_a_malformed_number_is_found_when_asked_for(name: str, value: str) -> None:
    state = SubscriptionState.parse(f"active;{name}{value}")
    with pytest.raises(SipParseError):
        getattr(state, name.replace("-", "_"))
