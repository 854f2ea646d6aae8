"""How the commands of the user agent end: their exit statuses, and what is said of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.errors import RequestFailed
    from ringback.message.message import Response

# ping's, which are sipsak's, and one more that scripts want to tell apart: a wrong password does not get right by trying again.
DONE = 0
REFUSED = 1
FAULT = 2
SILENT = 3
UNAUTHORIZED = 4
# As shells have it for a program that SIGINT has ended.
INTERRUPTED = 130

EXIT_STATUS = (
    "Exit status: 0 done, 1 refused by the other side or on the way, 2 cannot be done as told, 3 no answer, or nobody can be reached, "
    "4 no password or a wrong one, 130 ended by Ctrl-C before anything came of it."
)

# What a refusal says besides its status (§20.43, §20.33, §20.18, §20.40; RFC 3326).
_TELLING = ("Warning", "Reason", "Error-Info", "Retry-After", "Unsupported", "Allow-Events", "Accept", "Min-Expires")


def exit_status(error: RequestFailed) -> int:
    """The status with which a command ends that has failed so."""
    from ringback.agent.errors import AuthenticationFailed, RequestTimedOut

    if isinstance(error, AuthenticationFailed):
        return UNAUTHORIZED
    return SILENT if error.response is None or isinstance(error, RequestTimedOut) else REFUSED


def explain(error: RequestFailed, has_password: bool = True) -> str:
    """A failure as one line: what the server said, and what else it said about it."""
    from ringback.agent.errors import AuthenticationFailed

    response = error.response
    if response is None:
        reason = printable(error.reason)
        if error.status == 408:
            return reason if reason.startswith(("no", "No")) else f"no answer: {reason}"
        return reason if reason.startswith("no way") else f"nobody can be reached there: {reason}"
    line = f"{response.status} {printable(response.reason)}"
    if isinstance(error, AuthenticationFailed):
        return f"{line}: {_why_not_authenticated(response, has_password)}"
    said = told_by(response)
    if said:
        line += f" ({'; '.join(f'{name}: {text}' for name, text in said.items())})"
    return line


def _why_not_authenticated(response: Response, has_password: bool) -> str:
    from ringback.digest.client import realms_of

    realms = ", ".join(printable(realm) for realm in realms_of(response)) or "no realm"
    if not has_password:
        return f"a password is wanted for {realms}; give --password-file, --password or RINGBACK_PASSWORD"
    try:
        was_tried = response.cseq.number > 1
    except ValueError:
        was_tried = True
    if was_tried:
        return f"wrong password or unknown user for {realms}"
    return f"{realms} is not the domain of --user, nor --proxy, so it does not get the password"


def told_by(response: Response) -> dict[str, str]:
    """The fields of a refusal that say more of it, safe to be shown; where a redirection leads among them."""
    names = (*_TELLING, "Contact") if 300 <= response.status < 400 or response.status == 485 else _TELLING
    return {name: printable(text) for name in names if (text := response.headers.text(name)) is not None}


def as_fields(error: RequestFailed, has_password: bool = True) -> dict[str, Any]:
    """A failure as the fields of a JSON object."""
    response = error.response
    if response is None:
        return {"fault": explain(error, has_password)}
    fields: dict[str, Any] = {"status": response.status, "reason": response.reason}
    fields |= {name.lower().replace("-", "_"): text for name, text in told_by(response).items()}
    return fields | {"fault": explain(error, has_password)}
