"""The one error the grammar knows."""


class SipParseError(ValueError):
    """A text that is not what its grammar asks for. `reason` is fit for a reason phrase; `field` names the header field, if any."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field
