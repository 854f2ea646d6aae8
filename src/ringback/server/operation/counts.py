"""What a server counts of its own doing, for its operator."""


class Counts:
    """Plain integers that only grow: what the server did on its own."""

    __slots__ = ("malformed", "refused", "routing_errors")

    def __init__(self) -> None:
        self.malformed = 0
        self.refused = 0
        self.routing_errors = 0
