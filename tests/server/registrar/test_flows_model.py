"""Flows and their GRUUs against a model of a few lines: registered, refreshed, moved, removed, expired, lost (RFC 5626 §6, RFC 5627 §5)."""

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import unquote
from tests.server.registering import ALICE, House, house

instances = st.sampled_from(["urn:x:1", "urn:x:2"])
numbers = st.sampled_from([1, 2])
sources = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
calls = st.sampled_from(["a", "b"])


class Known(NamedTuple):
    """What the model knows of a binding."""

    source: str
    call_id: str
    cseq: int
    expires_at: float


class RegistrarAndModel(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.house: House = house(max_contacts=4)
        self.model: dict[tuple[str, int], Known] = {}
        self.good: dict[str, set[str]] = {}
        self.over: set[str] = set()

    def forget(self, *keys: tuple[str, int]) -> None:
        for key in keys:
            del self.model[key]
            if not any(instance == key[0] for instance, _ in self.model):
                self.over |= self.good.pop(key[0], set())

    @rule(instance=instances, number=numbers, source=sources, call=calls, cseq=st.integers(1, 6), expires=st.sampled_from([0, 60, 600]))
    def register(self, instance: str, number: int, source: str, call: str, cseq: int, expires: int) -> None:
        contact = f'Contact: <sip:alice@10.0.0.1;ob>;reg-id={number};+sip.instance="<{instance}>";expires={expires}'
        response = self.house.send("Supported: outbound, gruu, path", contact, source=source, call_id=call, cseq=cseq)
        key, known = (instance, number), self.model.get((instance, number))
        if known is not None and known.call_id == call and cseq <= known.cseq:
            assert response.status == 500
            return
        assert response.status == 200
        if expires == 0:
            if known is not None:
                self.forget(key)
        else:
            if known is not None and known.call_id != call:
                self.over |= self.good.pop(instance, set())
            self.model[key] = Known(source, call, cseq, self.house.now + expires)
        for text in response.headers.texts("Contact"):
            params = NameAddr.parse(text).params
            of = unquote(str(params["+sip.instance"]))[1:-1]
            self.good.setdefault(of, set()).add(unquote(str(params["temp-gruu"])))

    @rule(source=sources)
    def lose(self, source: str) -> None:
        for flow in {b.flow for b in self.house.location.registered(ALICE) if b.source == source}:
            self.house.location.flow_lost(flow)
        self.forget(*[key for key, known in self.model.items() if known.source == source])

    @rule(seconds=st.sampled_from([10, 60, 600]))
    def wait(self, seconds: int) -> None:
        self.house.now += seconds
        self.forget(*[key for key, known in self.model.items() if known.expires_at <= self.house.now])

    @invariant()
    def the_bindings_are_the_models(self) -> None:
        found = {(b.instance, b.reg_id): (b.source, b.call_id, b.cseq, b.expires_at) for b in self.house.location.registered(ALICE)}
        assert found == {key: tuple(known) for key, known in self.model.items()}

    @invariant()
    def temporary_gruus_lead_where_they_must(self) -> None:
        for instance, gruus in self.good.items():
            for gruu in gruus:
                found = self.house.gruus.bound(self.house.domains.place(gruu), self.house.location.lookup)
                assert found is not None
                assert {(b.instance, b.reg_id) for b in found} == {key for key in self.model if key[0] == instance}
        for gruu in self.over:
            assert self.house.gruus.bound(self.house.domains.place(gruu), self.house.location.lookup) is None


def test_flows_and_gruus_are_what_the_model_has() -> None:
    run_state_machine_as_test(RegistrarAndModel, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
