"""What the commands say of failures, and the exit statuses they make of them."""

import pytest

from ringback.agent.errors import (
    AuthenticationFailed,
    CallRejected,
    CallTimedOut,
    CallUnauthorized,
    RequestFailed,
    RequestRejected,
    RequestTimedOut,
    Unreachable,
)
from ringback.cli.outcome import as_fields, exit_status, explain
from ringback.message.message import Response


def said(status: int, reason: str | None = None, *fields: tuple[str, str], cseq: str = "1 INVITE") -> Response:
    return Response(status, reason, [("CSeq", cseq), *fields])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallRejected(486, "Busy Here", said(486)), 1),
        (RequestRejected(500, "Server Error", said(500)), 1),
        (CallTimedOut(408, "Request Timeout", said(408)), 3),
        (RequestTimedOut(408, "no answer"), 3),
        (Unreachable(503, "no way leads there"), 3),
        (AuthenticationFailed(401, "Unauthorized", said(401)), 4),
        (CallUnauthorized(407, "Proxy Authentication Required", said(407)), 4),
    ],
)
def test_exit_statuses(error: RequestFailed, status: int) -> None:
    assert exit_status(error) == status


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RequestTimedOut(408, "no answer"), "no answer"),
        (RequestTimedOut(408, "Request Timeout"), "no answer: Request Timeout"),
        (CallTimedOut(408, "not answered within 3 s"), "not answered within 3 s"),
        (Unreachable(503, "no way leads to sip:x"), "no way leads to sip:x"),
        (Unreachable(503, "Connection refused"), "nobody can be reached there: Connection refused"),
        (RequestRejected(485, "Ambiguous", said(485, None, ("Contact", "<sip:a@b>"))), "485 Ambiguous (Contact: <sip:a@b>)"),
        (RequestRejected(486, "Busy Here", said(486, None, ("Contact", "<sip:a@b>"))), "486 Busy Here"),
        (RequestRejected(486, "x", said(486, "\x1b[2J")), "486 \\x1b[2J"),
    ],
)
def test_what_is_said(error: RequestFailed, line: str) -> None:
    assert explain(error) == line
    assert as_fields(error)["fault"] == line


CHALLENGE = ("WWW-Authenticate", 'Digest realm="home\u202e", nonce="1"')


@pytest.mark.parametrize(
    ("response", "has_password", "why"),
    [
        (said(401, None, CHALLENGE), False, "a password is wanted for home\\u202e; give --password-file, --password or RINGBACK_PASSWORD"),
        (said(401, None, CHALLENGE, cseq="2 INVITE"), True, "wrong password or unknown user for home\\u202e"),
        (said(401, None, CHALLENGE), True, "home\\u202e is not the domain of --user, nor --proxy, so it does not get the password"),
        (said(401, cseq="what"), True, "wrong password or unknown user for no realm"),
    ],
)
def test_why_somebody_is_not_authenticated(response: Response, has_password: bool, why: str) -> None:
    assert explain(AuthenticationFailed(401, "Unauthorized", response), has_password) == f"401 Unauthorized: {why}"
