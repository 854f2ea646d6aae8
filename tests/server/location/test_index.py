"""The index in memory: what it holds and when it lets go."""

from ringback.server.location.binding import Binding
from ringback.server.location.index import MOST_AT_ONCE, SLOT, Index


def binding(aor: str, expires_at: float, contact: str = "sip:a@192.0.2.1", flow: str = "") -> Binding:
    return Binding(1, aor, contact, "", 1.0, expires_at, 60, "call", 1, flow=flow)


def test_a_binding_leaves_once_it_has_expired() -> None:
    index = Index(now=1000.0)
    short, long = binding("sip:a@x", 1010.0), binding("sip:a@x", 1090.0)
    index.put("sip:a@x", (short, long))
    assert index.size == 2
    assert index.sweep(1009.9, ()) == []
    assert index.sweep(1010.0 + SLOT, ()) == [short]
    assert index.by_aor == {"sip:a@x": (long,)}
    assert index.sweep(2000.0, ()) == [long]
    assert index.by_aor == {}
    assert index.size == 0


def test_one_that_was_refreshed_or_removed_is_not_swept() -> None:
    index = Index(now=0.0)
    first, second, third = binding("sip:a@x", 10.0), binding("sip:a@x", 10.5), binding("sip:b@x", 10.0)
    index.put("sip:a@x", (first,))
    index.put("sip:b@x", (third,))
    refreshed = binding("sip:a@x", 100.0)
    index.put("sip:a@x", (first, second))
    index.put("sip:a@x", (refreshed,))
    index.put("sip:b@x", ())
    index.put("sip:b@x", ())
    assert index.sweep(50.0, ()) == []
    assert index.by_aor == {"sip:a@x": (refreshed,)}


def test_one_under_change_waits_for_a_later_sweep() -> None:
    index = Index(now=0.0)
    held = binding("sip:a@x", 10.0)
    index.put("sip:a@x", (held,))
    assert index.sweep(50.0, {"sip:a@x"}) == []
    assert index.is_behind
    assert index.sweep(50.0, ()) == [held]
    assert not index.is_behind


def test_one_that_comes_too_late_is_swept_and_may_be_removed_before() -> None:
    index = Index(now=100.0)
    stale, gone = binding("sip:a@x", 10.0), binding("sip:b@x", 10.0)
    index.put("sip:a@x", (stale,))
    index.put("sip:b@x", (gone,))
    index.put("sip:b@x", ())
    assert index.sweep(100.0, ()) == [stale]


def test_many_expire_some_at_a_time() -> None:
    index = Index(now=0.0)
    for n in range(MOST_AT_ONCE + 1):
        index.put(f"sip:{n}@x", (binding(f"sip:{n}@x", 10.0),))
    assert len(index.sweep(20.0, ())) == MOST_AT_ONCE
    assert index.is_behind
    assert len(index.sweep(20.0, ())) == 1
    assert index.size == 0


def test_what_was_made_over_a_flow_is_found_until_it_leaves() -> None:
    index = Index(now=0.0)
    first, second, third = (binding(f"sip:{user}@x", 10.0, flow="edge") for user in "abc")
    for made in (first, second, third):
        index.put(made.aor, (made,))
    assert set(index.over("edge")) == {first, second, third}
    index.put(first.aor, (binding(first.aor, 20.0),))
    index.put(second.aor, (binding(second.aor, 10.0, flow="another"),))
    assert set(index.over("edge")) == {third}
    index.sweep(50.0, ())
    assert list(index.over("edge")) == list(index.over("another")) == []
    assert not index._by_flow
