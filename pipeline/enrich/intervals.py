"""Calendar arithmetic: half-open intervals of local dates, each with the granularity it was expressed in."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from pipeline.events import Granularity

_DAY = timedelta(days=1)
# Meeus, "Astronomical Algorithms" (1991), table 27.B: instant of equinoxes and solstices, mean terms; within
# half an hour. Julian day = a + b·Y + c·Y² + d·Y³ + e·Y⁴ with Y in thousands of years from 2000.
_SEASON_STARTS = {
    "printemps": (2451623.80984, 365242.37404, 0.05169, -0.00411, -0.00057),
    "été": (2451716.56767, 365241.62603, 0.00325, 0.00888, -0.00030),
    "automne": (2451810.21715, 365242.01767, -0.11575, 0.00337, 0.00078),
    "hiver": (2451900.05952, 365242.74049, -0.06223, -0.00823, 0.00032),
}
_JULIAN_DAY_OF_ORDINAL_0 = 1721424.5
SEASONS = tuple(_SEASON_STARTS)


class Interval(NamedTuple):
    """From `start`, included, to `end`, excluded."""

    start: date
    end: date
    granularity: Granularity

    def iso(self) -> tuple[str, str]:
        """Return both ends in ISO 8601, to the minute where they have a time of day."""
        return _iso(self.start), _iso(self.end)


def day(of: date) -> Interval:
    """Return one day."""
    return Interval(of, of + _DAY, "day")


def days(first: date, last: date) -> Interval:
    """Return the days from `first` to `last`, both included. Raises ValueError when `last` is earlier."""
    if last < first:
        raise ValueError(f"{last} is before {first}")
    return Interval(first, last + _DAY, "range")


def week(of: date) -> Interval:
    """Return the week, Monday to Sunday, that holds a day."""
    monday = of - of.weekday() * _DAY
    return Interval(monday, monday + 7 * _DAY, "week")


def weekend(of: date) -> Interval:
    """Return Saturday and Sunday of the week that holds a day."""
    saturday = week(of).start + 5 * _DAY
    return Interval(saturday, saturday + 2 * _DAY, "range")


def month(year: int, number: int) -> Interval:
    """Return a month; `number` may run over, as 13 for January of the next year."""
    years, zero_based = divmod(number - 1, 12)
    start = date(year + years, zero_based + 1, 1)
    end = date(year + years + (zero_based == 11), (zero_based + 1) % 12 + 1, 1)
    return Interval(start, end, "month")


def third_of_month(whole: Interval, part: str) -> Interval:
    """Return the days 1-10 (`début`), 11-20 (`mi`) or 21-end (`fin`) of a month."""
    first, second = whole.start + 10 * _DAY, whole.start + 20 * _DAY
    return {
        "début": Interval(whole.start, first, "range"),
        "mi": Interval(first, second, "range"),
        "fin": Interval(second, whole.end, "range"),
    }[part]


def third_of_year(number: int, part: str) -> Interval:
    """Return January to April (`début`), May to August (`mi`) or September to December (`fin`) of a year."""
    first = {"début": 1, "mi": 5, "fin": 9}[part]
    return Interval(month(number, first).start, month(number, first + 3).end, "range")


def half_year(year: int, number: int) -> Interval:
    """Return the first or second half of a year."""
    return Interval(month(year, 6 * number - 5).start, month(year, 6 * number).end, "range")


def quarter(year: int, number: int) -> Interval:
    """Return the first to fourth quarter of a year."""
    return Interval(month(year, 3 * number - 2).start, month(year, 3 * number).end, "quarter")


def season(year: int, name: str) -> Interval:
    """Return the astronomical season that begins in `year`."""
    following = SEASONS[(SEASONS.index(name) + 1) % 4]
    return Interval(_season_start(year, name), _season_start(year + (name == "hiver"), following), "season")


def year(number: int) -> Interval:
    """Return a year."""
    return Interval(date(number, 1, 1), date(number + 1, 1, 1), "year")


def decade(first: int) -> Interval:
    """Return the ten years from `first`."""
    return Interval(date(first, 1, 1), date(first + 10, 1, 1), "decade")


def century(number: int) -> Interval:
    """Return a century: the 19th is 1801 to 1900."""
    return Interval(date(100 * number - 99, 1, 1), date(100 * number + 1, 1, 1), "range")


def hour(of: date, at: int, minute: int | None) -> Interval:
    """Return an hour of a day, or one minute of it where the minute is given."""
    start = datetime.combine(of, time(at, minute or 0))
    return (
        Interval(start, start + timedelta(hours=1), "hour")
        if minute is None
        else Interval(start, start + timedelta(minutes=1), "instant")
    )


def shifted_month(of: date, by: int) -> Interval:
    """Return the month `by` months after that of a day."""
    return month(of.year, of.month + by)


def nearest_year(of: date, number: int, day_of_month: int, weekday: int | None = None, way: int = 0) -> date:
    """Return the day of that month and number closest to `of`: behind it (`way` < 0), ahead, or anywhere.

    With `weekday`, the closest that falls on it, if any. Raises ValueError when the calendar has no such day.
    """
    candidates = []
    for each in range(of.year - 4, of.year + 5):  # the 29th of February comes every four years
        try:
            candidates.append(date(each, number, day_of_month))
        except ValueError:
            continue
    fitting = [each for each in candidates if weekday is None or each.weekday() == weekday] or candidates
    directed = [each for each in fitting if (each - of).days * way >= 0] or fitting
    return min(directed, key=lambda each: abs(each - of))


def _season_start(year_: int, name: str) -> date:
    thousands = (year_ - 2000) / 1000
    julian = sum(term * thousands**power for power, term in enumerate(_SEASON_STARTS[name]))
    return date.fromordinal(int(julian - _JULIAN_DAY_OF_ORDINAL_0))


def _iso(moment: date) -> str:
    return moment.isoformat(timespec="minutes") if isinstance(moment, datetime) else moment.isoformat()
