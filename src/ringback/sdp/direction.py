"""Which way media flow, seen from whoever wrote the description: RFC 3264 §5.1, §6.1 and §8.4, RFC 8866 §6.7."""

SENDRECV = "sendrecv"
SENDONLY = "sendonly"
RECVONLY = "recvonly"
INACTIVE = "inactive"

_MIRRORED = {SENDRECV: SENDRECV, SENDONLY: RECVONLY, RECVONLY: SENDONLY, INACTIVE: INACTIVE}


def sends(direction: str) -> bool:
    """Whether the one who wrote `direction` sends."""
    return direction in (SENDRECV, SENDONLY)


def receives(direction: str) -> bool:
    """Whether the one who wrote `direction` receives."""
    return direction in (SENDRECV, RECVONLY)


def direction_of(sending: bool, receiving: bool) -> str:
    """The direction that sends and receives as said."""
    if sending:
        return SENDRECV if receiving else SENDONLY
    return RECVONLY if receiving else INACTIVE


def mirrored(direction: str) -> str:
    """The same flow seen from the other side: what one sends the other receives."""
    return _MIRRORED[direction]


def both(one: str, other: str) -> str:
    """What two directions, seen from the same side, both allow."""
    return direction_of(sends(one) and sends(other), receives(one) and receives(other))


def on_hold(direction: str) -> str:
    """`direction` without receiving: sendrecv becomes sendonly, recvonly inactive (RFC 3264 §8.4)."""
    return both(direction, SENDONLY)
