from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message.errors import SipParseError
from ringback.message.fields.date import Date


def test_a_date() -> None:
    date = Date.parse("Sat, 13 Nov 2010 23:29:00 GMT")
    assert date.moment == datetime(2010, 11, 13, 23, 29, tzinfo=UTC)
    assert str(date) == "Sat, 13 Nov 2010 23:29:00 GMT"
    assert repr(date) == f"<Date {date}>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fri, 01 Jan 2010 16:00:00 EST",
        "Fri, 1 Jan 2010 16:00:00 GMT",
        "fri, 01 jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 10 16:00:00 GMT",
        "Fri, 31 Feb 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 24:00:00 GMT",
        "Fri, 01 Jan 2010 23:59:60 GMT",
        "Fri, 01 Jan 0000 16:00:00 GMT",
        "Fri, 01 Jan 2010 16:00:00 GMT ",
        "Fri, ٠1 Jan 2010 16:00:00 GMT",
        "Friday, 01-Jan-10 16:00:00 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(SipParseError):
        Date.parse(text)


def test_a_moment_of_another_zone_becomes_gmt() -> None:
    assert str(Date(datetime(2026, 1, 1, 0, 30, 1, 999, tzinfo=timezone(timedelta(hours=1))))) == "Wed, 31 Dec 2025 23:30:01 GMT"


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Date(datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_date_survives(moment: datetime) -> None:
    assert Date.parse(str(Date(moment))) == Date(moment)


def test_equality() -> None:
    one = Date.parse("Sat, 13 Nov 2010 23:29:00 GMT")
    assert one == Date.parse("Mon, 13 Nov 2010 23:29:00 GMT")
    assert hash(one) == hash(Date.parse("Mon, 13 Nov 2010 23:29:00 GMT"))
    assert one != str(one)
