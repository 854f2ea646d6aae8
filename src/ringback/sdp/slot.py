"""Which of our media goes into which m= line: streams keep their place for as long as the session lasts (RFC 3264 §8)."""

from collections.abc import Callable, Sequence

from ringback.sdp.media import MediaDescription

Fits = Callable[[int, MediaDescription], bool]
"""Whether a medium of ours may stand in the slot of that number."""


def assigned(slots: int, ours: Sequence[MediaDescription], fits: Fits, former: Sequence[MediaDescription]) -> list[MediaDescription | None]:
    """For each slot a medium of `ours` that fits, each used once, or None.

    First each slot gets the medium on the port it had in `former`, so that a stream keeps its port when another one before it ends; the
    others take what is left in the order of `ours`.
    """
    free = [medium for medium in ours if medium.port]
    found: list[MediaDescription | None] = [None] * slots

    def assign(slot: int, on_port: int | None) -> None:
        for index, medium in enumerate(free):
            if (on_port is None or medium.port == on_port) and fits(slot, medium):
                found[slot] = free.pop(index)
                return

    for slot, medium in enumerate(former[:slots]):
        if medium.port:
            assign(slot, medium.port)
    for slot in range(slots):
        if found[slot] is None:
            assign(slot, None)
    return found


def refused(medium: MediaDescription) -> MediaDescription:
    """The m= line that says there is no such stream: port 0, one format, nothing below it (RFC 3264 §6, §8.2)."""
    other = medium.copy()
    other.port, other.port_count = 0, 1
    other.formats = medium.formats[:1] or ["0"]
    other.lines = []
    return other
