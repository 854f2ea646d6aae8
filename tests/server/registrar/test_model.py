"""The registrar against a model of a dozen lines, through refusals, expiry, locked stores and restarts (T26)."""

import tempfile
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ringback.address import Endpoint, Flow
from ringback.message.message import Request, Response
from ringback.server.config import RegistrarConfig
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.outbound.flows import Flows
from ringback.server.outbound.nat import Nat
from ringback.server.proxy.routing import Reject
from ringback.server.registrar import Registrar
from ringback.server.store import Store
from ringback.transaction.events import RequestReceived

MOST = 3
SOURCE = "192.0.2.1"

users = st.sampled_from(["alice", "bob"])
calls = st.sampled_from(["one", "two"])
numbers = st.integers(1, 4)
lifetimes = st.sampled_from([60, 90, 4_000, None, 0, 60, 90, 0, 30])
names = st.sampled_from(["a", "b", "c", "d"])
requests = st.one_of([st.dictionaries(names, lifetimes, min_size=1, max_size=most) for most in (1, 1, 2, 4)])

Model = dict[str, tuple[str, int, float]]
"""Call-ID, CSeq and deadline by contact."""


class RegistrarAndModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1_000.0
        self.answer: tuple[int, list[str]] = (0, [])
        self.model: dict[str, Model] = {"alice": {}, "bob": {}}
        self.endpoint = Endpoint("UDP", "192.0.2.100", 5060)

    @initialize()
    def start(self) -> None:
        self.store = Store(self.folder.name)
        self.location = Location(self.store, clock=lambda: self.now, wall=lambda: 1_800_000_000 + self.now)
        domains, flows = Domains(["example.com"], [self.endpoint]), Flows(b"key", "run")
        self.registrar = Registrar(
            self.location,
            domains,
            RegistrarConfig(max_contacts=MOST),
            respond=self.respond,  # type: ignore[arg-type]
            refuse=self.refuse,  # type: ignore[arg-type]
            token=lambda: "tag",
            flows=flows,
            nat=Nat(domains, flows, self.location, is_on=True, is_open=True),
            gruus=Gruus(b"key"),
        )

    def respond(self, _transaction: object, response: Response, _now: float) -> None:
        assert response.status == 200
        self.answer = 200, sorted(response.headers.texts("Contact"))

    def refuse(self, _transaction: object, _request: object, reject: Reject) -> None:
        self.answer = reject.status, []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.location.close()
            self.store.close()
        self.folder.cleanup()

    def send(self, user: str, call: str, number: int, *lines: tuple[str, str]) -> int:
        fields = [
            ("Via", f"SIP/2.0/UDP {SOURCE};branch=z9hG4bK{user}"),
            ("To", f"<sip:{user}@example.com>"),
            ("From", "<sip:x@example.com>;tag=1"),
            ("Call-ID", call),
            ("CSeq", f"{number} REGISTER"),
        ]
        request = Request("REGISTER", "sip:example.com", [*fields, *lines])
        self.answer = 0, []
        flow = Flow(self.endpoint, (SOURCE, 5060))
        self.registrar.receive(RequestReceived(request, flow, SimpleNamespace(flow=flow)), self.now)  # type: ignore[arg-type]
        return self.answer[0]

    def live(self, user: str) -> Model:
        return {name: held for name, held in self.model[user].items() if held[2] > self.now}

    def register_in_model(self, user: str, call: str, number: int, contacts: dict[str, int | None]) -> tuple[int, Model]:
        before = self.live(user)
        after = dict(before)
        if len(contacts) > MOST:
            return 403, before
        for name, wish in contacts.items():
            lifetime = 3_600 if wish is None else wish
            if 0 < lifetime < 60:
                return 423, before
            if name in before and before[name][0] == call and number <= before[name][1]:
                return 500, before
            after.pop(name, None)
            if lifetime:
                after[name] = call, number, self.now + lifetime
        if len(after) > MOST and len(after) > len(before):
            return 403, before
        return 200, after

    @rule(user=users, call=calls, number=numbers, contacts=requests, locked=st.sampled_from([False, False, False, True]))
    def register(self, user: str, call: str, number: int, contacts: dict[str, int | None], locked: bool) -> None:
        status, after = self.register_in_model(user, call, number, contacts)
        text = ", ".join(f"<sip:{name}@{SOURCE}>" + ("" if wish is None else f";expires={wish}") for name, wish in contacts.items())
        changes = after != self.live(user)
        other = self.store.connect() if locked else None
        if other is not None:
            other.execute("BEGIN IMMEDIATE")
        try:
            got = self.send(user, call, number, ("Contact", text))
        finally:
            if other is not None:
                other.close()
        if locked and status == 200 and changes:
            assert got == 503
        elif locked and status == 200:
            # Rows of bindings that expired may be due for deletion, and that would need the store.
            assert got in (200, 503)
        else:
            assert got == status
            self.model[user] = after

    @rule(user=users, call=calls, number=numbers, contact=names)
    def refresh(self, user: str, call: str, number: int, contact: str) -> None:
        self.register(user, call, number, {contact: 120}, locked=False)  # type: ignore[call-arg]

    @rule(user=users, call=calls, number=numbers)
    def remove_all(self, user: str, call: str, number: int) -> None:
        late = any(held[0] == call and number <= held[1] for held in self.live(user).values())
        assert self.send(user, call, number, ("Contact", "*"), ("Expires", "0")) == (500 if late else 200)
        if not late:
            self.model[user] = {}

    @rule(user=users)
    def ask(self, user: str) -> None:
        assert self.send(user, "question", 1) == 200
        assert self.answer[1] == sorted(
            f"<sip:{name}@{SOURCE}>;expires={round(held[2] - self.now)}" for name, held in self.live(user).items()
        )

    @rule(seconds=st.integers(1, 100), then=st.sampled_from(["nothing", "sweep", "restart"]))
    def time_passes(self, seconds: int, then: str) -> None:
        self.now += seconds
        if then == "sweep":
            self.location.advance(self.now)
        elif then == "restart":
            self.location.close()
            self.store.close()
            self.start()

    @invariant()
    def lookup_gives_what_the_model_holds(self) -> None:
        if not hasattr(self, "location"):
            return
        for user in self.model:
            found = {binding.contact: (binding.call_id, binding.cseq) for binding in self.location.lookup(f"sip:{user}@example.com")}
            assert found == {f"sip:{name}@{SOURCE}": held[:2] for name, held in self.live(user).items()}


def test_the_registrar_does_what_the_model_does(monkeypatch: pytest.MonkeyPatch, long_form: bool) -> None:
    monkeypatch.setattr("ringback.server.store.BUSY_TIMEOUT", 0.001)
    # What is shown is the registrar's arithmetic; that commits reach the disk is shown elsewhere, and fsync would take the time.
    connect = Store.connect

    def quick(store: Store) -> object:
        connection = connect(store)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(Store, "connect", quick)
    examples = 3_000 if long_form else 120
    run_state_machine_as_test(RegistrarAndModel, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None))
