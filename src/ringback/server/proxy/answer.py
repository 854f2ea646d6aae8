"""The response that a refusal or a redirection is (RFC 3261 §8.2.6, §8.3)."""

from __future__ import annotations

from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.server.proxy.routing import Redirect, Reject


def answer_to(request: Request, decision: Redirect | Reject, tag: str) -> Response:
    """The response; 404 instead of a redirection that only leads back to the Request-URI (§8.3)."""
    if isinstance(decision, Redirect):
        decision = decision.away_from(request.uri_text)
    response = response_to(request, decision.status, decision.reason, tag=tag)
    for name, value in decision.headers:
        response.headers.append(name, value)
    if isinstance(decision, Redirect) and decision.body:
        response.body = decision.body
        response.headers.set("Content-Length", len(decision.body))
    return response
