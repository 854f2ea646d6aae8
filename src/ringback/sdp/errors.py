"""The one error that session descriptions know."""


class SdpError(ValueError):
    """A session description that cannot be used. `reason` is fit for a Warning's text; `line_number` counts from 1, None for the whole."""

    def __init__(self, reason: str, line_number: int | None = None) -> None:
        super().__init__(reason if line_number is None else f"line {line_number}: {reason}")
        self.reason = reason
        self.line_number = line_number
