"""When was it published? The instant where the source gives one, a day where the article itself proves it.

A source that knows only the month gets a day from the article's own caption or dateline, where that is safe:
exactly one full date of that month stands in captions and datelines, and the weekdays the body mentions are
that day's or the next day's. Then the article is of the later of the two that the body mentions: agencies
caption a picture with the day it was taken and write on that day or on the next.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from pipeline.events import Precision, Sentence

_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_WEEKDAYS = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]
_FULL_DATE = re.compile(rf"\b(\d{{1,2}})(?:er)? ({'|'.join(_MONTHS)}) (\d{{4}})\b", re.IGNORECASE)
_WEEKDAY = re.compile(rf"\b({'|'.join(_WEEKDAYS)})\b(?! (?:\d|dernier|prochain|matin dernier))", re.IGNORECASE)
_TOLERANCE = timedelta(days=1)


class Published(NamedTuple):
    at: datetime | None
    precision: Precision | None
    notes: tuple[str, ...] = ()


def month_of(year: int, month: int) -> datetime:
    """Return the first instant of a month, which stands for all of it. Raises ValueError."""
    return datetime(year, month, 1, tzinfo=UTC)


def published(
    at: datetime | None, precision: Precision | None, text: str, sentences: Sequence[Sentence], now: datetime
) -> Published:
    """Return when the article was published, how exactly that is known, and what had to be said about it."""
    if at is None:
        return Published(None, None)
    if at > now + _TOLERANCE:
        return Published(None, None, (f"publication date {at.date().isoformat()} lies in the future: ignored",))
    if precision != "month":
        return Published(at, precision or "instant")
    day = _day_within(at, text, sentences)
    if day is None or day > (now + _TOLERANCE).date():
        return Published(at, "month")
    note = f"publication day {day.isoformat()} taken from the article's own caption or dateline"
    return Published(datetime(day.year, day.month, day.day, tzinfo=UTC), "day", (note,))


def _day_within(month: datetime, text: str, sentences: Sequence[Sentence]) -> date | None:
    named = {
        day
        for s in sentences
        if s.kind in ("caption", "dateline")
        for day in _full_dates(text[s.start : s.end])
        if (day.year, day.month) == (month.year, month.month)
    }
    if len(named) != 1:
        return None
    day = named.pop()
    mentioned = {
        _WEEKDAYS.index(match[1].lower())
        for s in sentences
        if s.kind in ("body", "quote")
        for match in _WEEKDAY.finditer(text[s.start : s.end])
    }
    following = day + timedelta(days=1)
    if not mentioned <= {day.weekday(), following.weekday()}:
        return None
    return following if following.weekday() in mentioned else day


def _full_dates(text: str) -> list[date]:
    out = []
    for match in _FULL_DATE.finditer(text):
        try:
            out.append(date(int(match[3]), _MONTHS.index(match[2].lower()) + 1, int(match[1])))
        except ValueError:
            continue
    return out
