"""Date: RFC 1123 dates in GMT, read and written without a locale (RFC 3261 §20.17)."""

import re
from datetime import UTC, datetime
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import parse_uint

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# rfc1123-date = wkday "," SP date1 SP time SP "GMT"; case matters (§20.17)
_date = re.compile(
    rf"(?:{'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}}) GMT"
).fullmatch


class Date:
    """A moment, to the second, aware of being UTC."""

    __slots__ = ("moment",)

    def __init__(self, moment: datetime) -> None:
        """`moment` must know its time zone: ValueError."""
        if moment.tzinfo is None:
            raise ValueError("a Date needs a time zone")
        self.moment = moment.astimezone(UTC).replace(microsecond=0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The date that `text` is, its day of the week not checked against it; raises SipParseError, as for any zone but GMT."""
        found = _date(text)
        if found is None:
            raise SipParseError("malformed date")
        month = _MONTHS.index(found[2]) + 1
        day, year, hour, minute, second = [parse_uint(digits, 9999) for digits in found.group(1, 3, 4, 5, 6)]
        try:
            return cls(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
        except ValueError:
            raise SipParseError("no such date") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Date) and self.moment == other.moment

    def __hash__(self) -> int:
        return hash(self.moment)

    def __str__(self) -> str:
        at = self.moment
        clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
        return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {clock} GMT"

    def __repr__(self) -> str:
        return f"<Date {self}>"
