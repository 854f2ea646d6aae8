"""How long to wait after both parties changed the session at once and a 491 said so (RFC 3261 §14.1)."""

from collections.abc import Callable


def back_off(owns_call_id: bool, chance: Callable[[], float]) -> float:
    """Seconds until the re-INVITE may be tried again, in steps of 10 ms; `chance` gives numbers in [0, 1).

    2.1 to 4 for the party that made the Call-ID, 0 to 2 for the other: they never try together again.
    """
    return (210 + int(chance() * 191)) / 100 if owns_call_id else int(chance() * 201) / 100
