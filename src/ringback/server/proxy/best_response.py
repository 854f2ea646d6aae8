"""Which of the collected final responses goes upstream (RFC 3261 §16.7 items 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.message.message import Response

# §16.7 item 6: within 4xx, those that tell the client how to ask again, in this order of use to it.
_TELLING = (401, 407, 415, 420, 484)
_CHALLENGES = ("WWW-Authenticate", "Proxy-Authenticate")


# What speaks of one server, of one flow, or of nobody at all: any answer of a callee says more.
_SAYING_LITTLE = (503, 430, 408)


def rank(response: Response) -> tuple[int, int]:
    """Lower is better: 6xx first, then the lowest class, telling responses before others, those that say little last."""
    status = response.status
    if status >= 600:
        return 0, 0
    order = _TELLING.index(status) if status in _TELLING else len(_TELLING)
    return status // 100, order + (status in _SAYING_LITTLE)


def best_of(responses: Sequence[Response]) -> Response:
    """The response to forward of one or more; a 401 or 407 gets every challenge of the others (§16.7 item 7)."""
    best = min(responses, key=rank)
    if best.status in (401, 407):
        for other in responses:
            if other is not best and other.status in (401, 407):
                for name in _CHALLENGES:
                    for challenge in other.headers.texts(name):
                        best.headers.append(name, challenge)
    return best
