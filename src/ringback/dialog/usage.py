"""What a failure response ends: its transaction alone, the usage its request belongs to, or the dialog with all usages (RFC 5057 §5)."""

from typing import Final, Literal

Effect = Literal["transaction", "usage", "dialog"]

TRANSACTION: Final = "transaction"
USAGE: Final = "usage"
DIALOG: Final = "dialog"

# Departs from RFC 3261 §12.2.1.2: a 481 or 408 ends the usage, as RFC 5057 §5.1 and §5.2 ask, and the dialog where that was its last.
EFFECTS: dict[int, Effect] = {
    404: DIALOG,
    405: USAGE,
    408: USAGE,
    410: DIALOG,
    416: DIALOG,
    480: USAGE,
    481: USAGE,
    482: DIALOG,
    483: DIALOG,
    484: DIALOG,
    485: DIALOG,
    489: USAGE,
    501: USAGE,
    502: DIALOG,
    604: DIALOG,
}
"""Table 1 of §5.1 without its first column: a status not here ends nothing but its transaction. 408 is as §5.2 has timeouts."""

_OF_THE_INVITE_USAGE = frozenset(("INVITE", "UPDATE", "PRACK", "ACK", "BYE", "INFO"))
_OF_A_SUBSCRIPTION = frozenset(("SUBSCRIBE", "NOTIFY", "REFER"))
_OF_A_USAGE = _OF_THE_INVITE_USAGE | _OF_A_SUBSCRIPTION

# For which methods a status ends the usage, where §5.1 narrows it (405, 501: a peer may do without the others) or RFC 6665 §4.1.2.2 (408).
_INTEGRAL = frozenset(("INVITE", "ACK", "BYE", "PRACK", "SUBSCRIBE", "NOTIFY"))
_ONLY_FOR = {
    405: _INTEGRAL,
    408: _OF_A_USAGE - {"SUBSCRIBE"},
    489: frozenset(("SUBSCRIBE", "NOTIFY")),
    501: _INTEGRAL,
}


def effect_of(status: int, method: str) -> Effect:
    """What a 3xx to 6xx to a request of ours within a dialog ends; a timeout counts as 408 (RFC 3261 §12.2.1.2, RFC 5057 §5.2).

    `USAGE` means the one the request belongs to: the session for INVITE, UPDATE, PRACK, INFO and BYE, else the subscription that its Event
    names; a SUBSCRIBE or REFER that was to begin one has none to end. A 3xx ends nothing: it is tried elsewhere or given up.
    A status below 300 is a `ValueError`.
    """
    if status < 300:
        raise ValueError(f"a {status} is no failure")
    effect = EFFECTS.get(status, TRANSACTION)
    # A CANCEL is answered hop by hop: its failure says nothing of the peer (§5.1 note 8).
    if method == "CANCEL" or (effect == USAGE and method not in _ONLY_FOR.get(status, _OF_A_USAGE)):
        return TRANSACTION
    return effect
