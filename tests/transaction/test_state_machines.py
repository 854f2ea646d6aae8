"""Any order of inputs to the four machines at once, against a plain walk through their tables; and that silence ends everything."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ringback.message.derive import response_to
from ringback.transaction.events import Event, RequestReceived, ResponseReceived, TransactionTimedOut, TransportFailed
from ringback.transaction.machines import (
    CLASSES,
    INPUT_OF_STATUS,
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    TERMINATED,
    Machine,
)
from ringback.transaction.timers import DEFAULT_TIMERS, TIMERS
from ringback.transaction.transaction import ClientTransaction, ServerTransaction, Transaction
from tests.transaction.party import Party, our_request, request, response

STATUSES = st.sampled_from([100, 180, 183, 200, 202, 302, 408, 486, 503, 603])
METHODS = st.sampled_from(["INVITE", "OPTIONS", "BYE"])
PAUSES = st.one_of(st.sampled_from([0.0, 0.2, 0.5, 3.5, 4.0, 5.0, 32.0]), st.floats(0.0, 40.0))
# 64*T1 and T4: the longest that a request, or an answer nobody acknowledges, may stay.
SILENCE = 64 * DEFAULT_TIMERS.t1 + DEFAULT_TIMERS.t4


def machine_of(transaction: Transaction) -> Machine:
    if transaction.method == "INVITE":
        return INVITE_CLIENT if isinstance(transaction, ClientTransaction) else INVITE_SERVER
    return NON_INVITE_CLIENT if isinstance(transaction, ClientTransaction) else NON_INVITE_SERVER


def walk(machine: Machine, state: str, name: str, *, reliable: bool) -> str:
    """The state that an input leads to, read off the table itself; zero-second timers fire on the way."""
    names = [name, *(wide for wide, narrow in CLASSES.items() if name in narrow)]
    if name == "100" and reliable:
        names.insert(0, "100 over a reliable transport")
    following = next((machine.rows[state, one][0] for one in names if (state, one) in machine.rows), state)
    if reliable and following != state:
        for timer in TIMERS:
            zero = timer.reliable is not None and timer.reliable(DEFAULT_TIMERS) == 0
            if timer.machine is machine and following in timer.states and zero:
                following = machine.rows[following, timer.name][0]
    return following


class Machines(RuleBasedStateMachine):
    clients: Bundle[ClientTransaction] = Bundle("clients")
    servers: Bundle[ServerTransaction] = Bundle("servers")

    @initialize(transport=st.sampled_from(["UDP", "TCP"]))
    def begin(self, transport: str) -> None:
        self.party = Party(transport)
        self.reliable = transport == "TCP"
        self.count = 0
        self.all: list[Transaction] = []
        self.told: dict[Transaction, list[Event]] = {}
        self.strays = 0

    def note(self) -> None:
        for event in self.party.layer.take_events():
            assert event.transaction is not None
            self.told[event.transaction].append(event)
        self.party.sent()

    def hears(self, transaction: Transaction, name: str, before: str) -> None:
        assert transaction.state == walk(machine_of(transaction), before, name, reliable=self.reliable)
        self.note()

    @rule(target=clients, method=METHODS)
    def ask(self, method: str) -> ClientTransaction:
        self.count += 1
        transaction = self.party.ask(our_request(method, f"z9hG4bK{self.count}", transport=self.party.transport))
        self.all.append(transaction)
        self.told[transaction] = []
        return transaction

    @rule(target=servers, method=METHODS)
    def serve(self, method: str) -> ServerTransaction:
        self.count += 1
        transaction = self.party.serve(request(method, f"z9hG4bK{self.count}", transport=self.party.transport))
        self.all.append(transaction)
        self.told[transaction] = []
        return transaction

    @rule(transaction=clients, status=STATUSES)
    def answered(self, transaction: ClientTransaction, status: int) -> None:
        before = transaction.state
        branch = transaction.key.split("\n")[0]
        received = response(transaction.method, status, branch)
        self.party.layer.receive(received, self.party.flow, self.party.now)
        self.strays += before == TERMINATED
        self.hears(transaction, INPUT_OF_STATUS[status], before)

    @rule(transaction=clients)
    def cancel(self, transaction: ClientTransaction) -> None:
        branch = transaction.key.split("\n")[0]
        in_use = transaction.key.removesuffix(transaction.method) + "CANCEL" in self.party.layer.clients
        if transaction.state == "Proceeding" and not in_use:
            cancel = self.party.ask(our_request("CANCEL", branch, transport=self.party.transport))
            self.all.append(cancel)
            self.told[cancel] = []

    @rule(transaction=servers)
    def asked_again(self, transaction: ServerTransaction) -> None:
        before = transaction.state
        if before != TERMINATED:
            again = request(transaction.method, transaction.key.split("\n")[0], transport=self.party.transport)
            assert self.party.hear(again) == []
            self.hears(transaction, "request", before)

    @rule(transaction=servers)
    def acknowledged(self, transaction: ServerTransaction) -> None:
        before = transaction.state
        if transaction.method == "INVITE":
            ack = request("ACK", transaction.key.split("\n")[0], to_tag="tt", transport=self.party.transport)
            passes = before in ("Accepted", TERMINATED)
            assert [type(event) for event in self.party.hear(ack)] == [RequestReceived] * passes
            self.hears(transaction, "ACK", before)

    @rule(transaction=servers, status=STATUSES)
    def answer(self, transaction: ServerTransaction, status: int) -> None:
        before = transaction.state
        asked = request(transaction.method, transaction.key.split("\n")[0])
        self.party.layer.respond(transaction, response_to(asked, status, tag="tt"), self.party.now)
        sent = self.party.sent()
        assert sent in ([], [str(status)])
        assert not (transaction.method != "INVITE" and sent and (status == 408 or 100 < status < 200))
        self.hears(transaction, INPUT_OF_STATUS[status], before)

    @rule()
    def transport_fails(self) -> None:
        # Long enough ago that the layer looks at once.
        self.party.pass_time(self.party.now + 0.01)
        before = {transaction: transaction.state for transaction in self.all}
        self.party.layer.transport_failed(self.party.flow, self.party.now, "gone")
        for transaction, state in before.items():
            self.hears(transaction, "transport error", state)

    @rule(pause=PAUSES)
    def time_passes(self, pause: float) -> None:
        self.party.pass_time(self.party.now + pause)
        self.note()

    @rule(leap=PAUSES)
    def time_leaps(self, leap: float) -> None:
        self.party.now += leap
        self.party.layer.advance(self.party.now)
        self.note()

    @invariant()
    def tables_hold_what_lives(self) -> None:
        if not hasattr(self, "party"):
            return
        layer = self.party.layer
        alive = {transaction for transaction in self.all if not transaction.is_terminated}
        assert {*layer.clients.values(), *layer.servers.values()} == alive
        assert layer.stray_responses == self.strays

    @invariant()
    def timers_are_bounded(self) -> None:
        if not hasattr(self, "party"):
            return
        running = Counter((entry[1], entry[2]) for queue in self.party.layer.queues.values() for entry in queue)
        assert all(count == 1 or name == "cancelled" for (_, name), count in running.items())
        deadlines = [entry[0] for queue in self.party.layer.queues.values() for entry in queue if entry[2] in entry[1].rows]
        assert not deadlines or self.party.layer.deadline <= min(deadlines)

    @invariant()
    def one_end_is_told(self) -> None:
        for transaction, events in getattr(self, "told", {}).items():
            ends = [event for event in events if isinstance(event, TransactionTimedOut)]
            failures = [event for event in events if isinstance(event, TransportFailed)]
            assert len(ends) <= 1
            if isinstance(transaction, ServerTransaction):
                continue
            assert len(failures) <= 1
            finals = [event.response for event in events if isinstance(event, ResponseReceived) and event.response.is_final]
            accepts = [final for final in finals if final.is_success]
            if transaction.method == "INVITE" and accepts:
                assert len(accepts) == len(finals)
            else:
                assert len(finals) <= 1
            assert not (finals and ends)
            if transaction.is_terminated:
                assert finals or ends or failures

    def teardown(self) -> None:
        if not hasattr(self, "party"):
            return
        party = self.party
        # What only its user can end is ended: what rings is answered or cancelled, as a call that nobody takes is.
        for transaction in self.all:
            if transaction.method == "INVITE" and transaction.state == "Proceeding":
                if isinstance(transaction, ServerTransaction):
                    party.layer.respond(transaction, response_to(transaction.request, 487, tag="tt"), party.now)
                else:
                    self.cancel(transaction)
        party.pass_time(party.now + SILENCE)
        self.note()
        assert not party.layer.servers
        assert not party.layer.clients
        party.layer.advance(party.now)
        assert party.layer.next_deadline() is None
        assert not any(party.layer.queues.values())
        self.one_end_is_told()


def test_machines_under_any_order_of_inputs(*, long_form: bool) -> None:
    run_state_machine_as_test(
        Machines,
        settings=settings(
            max_examples=1_000 if long_form else 200,
            stateful_step_count=100 if long_form else 50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
