"""Figures 5 to 8 of RFC 3261 §17 as tables, figures 5 and 7 as RFC 6026 §8 redraws them, figure 8 as RFC 4320 §4 narrows it.

`(state, input): (next state, action, …)`. A row that is absent is ignored, as in the figures. What timers run in a state is
`timers.py`; when a transaction enters a state they start, when it leaves they stop: no row mentions it.
"""

from typing import NamedTuple

# States
START = "Start"
CALLING = "Calling"
TRYING = "Trying"
PROCEEDING = "Proceeding"
COMPLETED = "Completed"
CONFIRMED = "Confirmed"
ACCEPTED = "Accepted"
TERMINATED = "Terminated"

# Inputs: what comes from the network or from the transaction user. A timer's input is its name.
REQUEST = "request"
ACK = "ACK"
TRANSPORT_ERROR = "transport error"
ONLY_100 = "100"
ONLY_100_RELIABLE = "100 over a reliable transport"
PROVISIONAL = "1xx"
SUCCESS = "2xx"
ONLY_408 = "408"
FAILURE = "300-699"
FINAL = "200-699"

# Inputs that stand for several: a response is one of "100", "101-199", "2xx", "408" and "other 300-699".
_101_199 = "101-199"
_OTHER_FAILURE = "other 300-699"
CLASSES = {
    PROVISIONAL: (ONLY_100, _101_199),
    FAILURE: (ONLY_408, _OTHER_FAILURE),
    FINAL: (SUCCESS, ONLY_408, _OTHER_FAILURE),
}
INPUT_OF_STATUS = tuple(
    ONLY_100 if status == 100 else _101_199 if status < 200 else SUCCESS if status < 300 else ONLY_408 if status == 408 else _OTHER_FAILURE
    for status in range(700)
)
"""The input that a response is, by its status."""

# Timers that figures 5 to 8 do not show; A to M bear their names in the RFC.
TRYING_DELAY = "100 due"
EXPIRY = "expiry"
CANCELLED = "cancelled"

# Actions
SEND_REQUEST = "send request"
SEND_ACK = "send ACK"
REPEAT_ACK = "send ACK again"
RESPONSE_TO_TU = "response to TU"
REQUEST_TO_TU = "request to TU"
ACK_TO_TU = "ACK to TU"
SEND_RESPONSE = "send response"
RELAY_RESPONSE = "send response, keep nothing"
REPEAT_RESPONSE = "send response again"
SEND_TRYING = "send 100 unless TU responded"
TIMEOUT_TO_TU = "inform TU of timeout"
FAILURE_TO_TU = "inform TU of transport error"
DROP_BODY = "forget the request's body"
DROP_REQUEST = "forget the request"
DROP_RESPONSE = "forget the response"

Rows = dict[tuple[str, str], tuple[str, ...]]


class Machine(NamedTuple):
    """One figure: its rows, and what each state forgets when it is entered because nothing needs it from there on."""

    name: str
    is_client: bool
    rows: Rows
    forgets: dict[str, tuple[str, ...]]

    @property
    def states(self) -> frozenset[str]:
        """Every state of the figure."""
        return frozenset(state for state, _ in self.rows) | {row[0] for row in self.rows.values()}


INVITE_CLIENT = Machine(
    "INVITE client",
    True,
    {
        (START, REQUEST): (CALLING, SEND_REQUEST),
        (CALLING, "A"): (CALLING, SEND_REQUEST),
        (CALLING, "B"): (TERMINATED, TIMEOUT_TO_TU),
        (CALLING, TRANSPORT_ERROR): (TERMINATED, FAILURE_TO_TU),
        (CALLING, PROVISIONAL): (PROCEEDING, RESPONSE_TO_TU),
        (CALLING, SUCCESS): (ACCEPTED, RESPONSE_TO_TU),
        (CALLING, FAILURE): (COMPLETED, SEND_ACK, RESPONSE_TO_TU),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, RESPONSE_TO_TU),
        (PROCEEDING, SUCCESS): (ACCEPTED, RESPONSE_TO_TU),
        (PROCEEDING, FAILURE): (COMPLETED, SEND_ACK, RESPONSE_TO_TU),
        # §9.1: 64*T1 after its CANCEL a request is given up.
        (PROCEEDING, CANCELLED): (TERMINATED, TIMEOUT_TO_TU),
        (COMPLETED, FAILURE): (COMPLETED, REPEAT_ACK),
        (COMPLETED, TRANSPORT_ERROR): (TERMINATED, FAILURE_TO_TU),
        (COMPLETED, "D"): (TERMINATED,),
        (ACCEPTED, SUCCESS): (ACCEPTED, RESPONSE_TO_TU),
        (ACCEPTED, "M"): (TERMINATED,),
    },
    {PROCEEDING: (DROP_BODY,), ACCEPTED: (DROP_REQUEST,), TERMINATED: (DROP_REQUEST,)},
)
"""Figure 5 (RFC 6026 §8.4)."""

NON_INVITE_CLIENT = Machine(
    "non-INVITE client",
    True,
    {
        (START, REQUEST): (TRYING, SEND_REQUEST),
        (TRYING, "E"): (TRYING, SEND_REQUEST),
        (TRYING, "F"): (TERMINATED, TIMEOUT_TO_TU),
        (TRYING, TRANSPORT_ERROR): (TERMINATED, FAILURE_TO_TU),
        (TRYING, PROVISIONAL): (PROCEEDING, RESPONSE_TO_TU),
        (TRYING, FINAL): (COMPLETED, RESPONSE_TO_TU),
        (PROCEEDING, "E"): (PROCEEDING, SEND_REQUEST),
        (PROCEEDING, "F"): (TERMINATED, TIMEOUT_TO_TU),
        (PROCEEDING, TRANSPORT_ERROR): (TERMINATED, FAILURE_TO_TU),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, RESPONSE_TO_TU),
        (PROCEEDING, FINAL): (COMPLETED, RESPONSE_TO_TU),
        (COMPLETED, "K"): (TERMINATED,),
    },
    {COMPLETED: (DROP_REQUEST,), TERMINATED: (DROP_REQUEST,)},
)
"""Figure 6 (RFC 3261 §17.1.2)."""

INVITE_SERVER = Machine(
    "INVITE server",
    False,
    {
        (START, REQUEST): (PROCEEDING, REQUEST_TO_TU),
        (PROCEEDING, REQUEST): (PROCEEDING, REPEAT_RESPONSE),
        (PROCEEDING, TRYING_DELAY): (PROCEEDING, SEND_TRYING),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, SEND_RESPONSE),
        (PROCEEDING, SUCCESS): (ACCEPTED, RELAY_RESPONSE),
        (PROCEEDING, FAILURE): (COMPLETED, SEND_RESPONSE),
        (PROCEEDING, TRANSPORT_ERROR): (PROCEEDING, FAILURE_TO_TU),
        (COMPLETED, REQUEST): (COMPLETED, REPEAT_RESPONSE),
        (COMPLETED, ACK): (CONFIRMED,),
        (COMPLETED, "G"): (COMPLETED, REPEAT_RESPONSE),
        # Figure 7 of RFC 6026 §8.6 shows no action here, but §17.2.1 still asks that the failure be told.
        (COMPLETED, "H"): (TERMINATED, TIMEOUT_TO_TU),
        (COMPLETED, TRANSPORT_ERROR): (COMPLETED, FAILURE_TO_TU),
        (CONFIRMED, "I"): (TERMINATED,),
        (ACCEPTED, SUCCESS): (ACCEPTED, RELAY_RESPONSE),
        (ACCEPTED, ACK): (ACCEPTED, ACK_TO_TU),
        (ACCEPTED, TRANSPORT_ERROR): (ACCEPTED, FAILURE_TO_TU),
        (ACCEPTED, "L"): (TERMINATED,),
    },
    {
        COMPLETED: (DROP_REQUEST,),
        CONFIRMED: (DROP_RESPONSE,),
        ACCEPTED: (DROP_REQUEST, DROP_RESPONSE),
        TERMINATED: (DROP_REQUEST, DROP_RESPONSE),
    },
)
"""Figure 7 (RFC 6026 §8.6)."""

NON_INVITE_SERVER = Machine(
    "non-INVITE server",
    False,
    {
        (START, REQUEST): (TRYING, REQUEST_TO_TU),
        # RFC 4320 §4.1: no provisional response but 100, and over UDP that one only when timer E of the client has reached T2.
        (TRYING, TRYING_DELAY): (PROCEEDING, SEND_TRYING),
        (TRYING, ONLY_100_RELIABLE): (PROCEEDING, SEND_RESPONSE),
        (TRYING, FINAL): (COMPLETED, SEND_RESPONSE),
        # RFC 4320 §4.2: no 408 is ever sent; the client has come to that conclusion by itself.
        (TRYING, ONLY_408): (COMPLETED,),
        (TRYING, TRANSPORT_ERROR): (TRYING, FAILURE_TO_TU),
        (PROCEEDING, REQUEST): (PROCEEDING, REPEAT_RESPONSE),
        (PROCEEDING, ONLY_100): (PROCEEDING, SEND_RESPONSE),
        (PROCEEDING, FINAL): (COMPLETED, SEND_RESPONSE),
        (PROCEEDING, ONLY_408): (COMPLETED,),
        # Departs from RFC 3261 §17.2.2: figure 8 keeps a request that nobody answers for ever. By RFC 4320 §4.2 it has expired when its
        # client's timer F has fired.
        (PROCEEDING, EXPIRY): (TERMINATED, TIMEOUT_TO_TU),
        # RFC 6026 §8.8: the state stays, so that a retransmission is not taken for a new request.
        (PROCEEDING, TRANSPORT_ERROR): (PROCEEDING, FAILURE_TO_TU),
        (COMPLETED, REQUEST): (COMPLETED, REPEAT_RESPONSE),
        (COMPLETED, TRANSPORT_ERROR): (COMPLETED, FAILURE_TO_TU),
        (COMPLETED, "J"): (TERMINATED,),
    },
    {COMPLETED: (DROP_REQUEST,), TERMINATED: (DROP_REQUEST, DROP_RESPONSE)},
)
"""Figure 8 (RFC 3261 §17.2.2, RFC 4320 §4)."""

MACHINES = (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER)
