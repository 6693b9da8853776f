"""What a matched time expression means, given the day it is seen from and where its sentence points.

Each function may raise ValueError for a day the calendar does not have. Conventions are those of the event
guidelines: `mi-août` is 11-20, weeks begin on Monday, seasons are astronomical, a night between two days is
both of them.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.enrich import intervals
from pipeline.enrich.intervals import Interval
from pipeline.enrich.time_words import FEASTS, WEEKDAYS, Direction, day_of_month, month_of, number_of

_FAR, _CLOSE = 270, 22
"""Days."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An expression as it was met: its match, the day it is seen from, and where its sentence points."""

    match: re.Match[str]
    day: date
    way: Direction

    def __getitem__(self, group: str) -> str:
        """Return a group of the match, empty where it took no part."""
        return self.match[group] or ""


def weekday(today: date, word: str, way: Direction, rel: str | None = None) -> date:
    """Return the weekday nearest in the direction; `dernier` is never today, `prochain` neither."""
    wanted = WEEKDAYS.index(word.casefold())
    back = (today.weekday() - wanted) % 7
    forth = (wanted - today.weekday()) % 7
    if rel and rel.startswith("dernier"):
        return today - timedelta(days=back or 7)
    if rel and rel.startswith("prochain"):
        return today + timedelta(days=forth or 7)
    return today + timedelta(days=forth) if way > 0 else today - timedelta(days=back)


def dated(seen: Seen) -> Interval:
    """Return `samedi 17 novembre dernier`: the nearest day of that name in the direction."""
    on = WEEKDAYS.index(seen["wd"].casefold()) if seen["wd"] else None
    towards = {"dernier": -1, "prochain": 1}.get(seen["rel"], seen.way)
    wanted = month_of(seen["m"]), day_of_month(seen["d"])
    there = intervals.nearest_year(seen.day, *wanted, on, towards)
    near = intervals.nearest_year(seen.day, *wanted, on)
    # A tense that points a year away from a day of this month was another verb's.
    misled = not seen["rel"] and abs(there - seen.day).days > _FAR and abs(near - seen.day).days < _CLOSE
    return intervals.day(near if misled else there)


def monthday(seen: Seen) -> Interval:
    """Return `le 10`: of this month, or a neighbouring one where the sentence looks there or that is nearer."""
    this = date(seen.day.year, seen.day.month, day_of_month(seen["d"]))
    nearer = (this - seen.day).days > 15
    if this > seen.day and (seen.way < 0 or (seen.way == 0 and nearer)):
        return intervals.day(intervals.month(seen.day.year, seen.day.month - 1).start.replace(day=this.day))
    if this < seen.day and seen.way > 0:
        return intervals.day(intervals.month(seen.day.year, seen.day.month + 1).start.replace(day=this.day))
    return intervals.day(this)


def day_range(seen: Seen) -> Interval:
    """Return `du 28 octobre au 3 novembre`, in the year nearest to the article where none is given."""
    year = seen["y"]
    number = month_of(seen["m"])
    first_month = month_of(seen["m1"]) if seen["m1"] else number
    if year:
        last = date(int(year), number, day_of_month(seen["d2"]))
    else:
        last = intervals.nearest_year(seen.day, number, day_of_month(seen["d2"]))
    return intervals.days(date(last.year - (first_month > number), first_month, day_of_month(seen["d1"])), last)


def some_month(seen: Seen) -> Interval:
    """Return a month without a year: the last one begun, the next one where the sentence looks ahead."""
    number, rel = month_of(seen["m"]), seen["rel"]
    forward = rel == "prochain" or (seen.way > 0 and rel == "")
    if forward:
        whole = intervals.month(seen.day.year + (number < seen.day.month + (rel != "")), number)
    else:
        whole = intervals.month(seen.day.year - (number > seen.day.month - (rel != "")), number)
    return intervals.third_of_month(whole, _part(seen)) if seen["part"] else whole


def month_range(seen: Seen) -> Interval:
    """Return `entre janvier et juillet 2016`, in the year nearest to the article where none is given."""
    first, last = month_of(seen["m1"]), month_of(seen["m"])
    end = intervals.month(int(seen["y"]), last) if seen["y"] else nearest_month(seen)
    return Interval(intervals.month(end.start.year - (first > last), first).start, end.end, "range")


def nearest_month(seen: Seen) -> Interval:
    """Return `les législatives de juin`: the nearest, whatever the tense; what goes with a noun has none."""
    number = month_of(seen["m"])
    begun = seen.day.year * 12 + seen.day.month
    months = (intervals.month(seen.day.year + by, number) for by in (-1, 0, 1))
    return min(months, key=lambda each: (abs(each.start.year * 12 + each.start.month - begun), each.start))


def month_of_year(seen: Seen) -> Interval:
    """Return `février 2022` or `mi-février 2022`."""
    whole = intervals.month(int(seen["y"]), month_of(seen["m"]))
    return intervals.third_of_month(whole, _part(seen)) if seen["part"] else whole


def _part(seen: Seen) -> str:
    return seen["part"].casefold().replace("milieu", "mi").rstrip("-")


def night(seen: Seen) -> Interval:
    """Return `la nuit de jeudi à vendredi`: both days."""
    second = weekday(seen.day, seen["wd2"], seen.way)
    return intervals.days(second - timedelta(days=1), second)


def two_days(seen: Seen) -> Interval:
    """Return `lundi et mardi`, `de lundi à mercredi`: from the first to the last."""
    one, two = seen["wd1"] or seen["from"], seen["wd2"] or seen["to"]
    if seen.way > 0:
        first = weekday(seen.day, one, 1)
        return intervals.days(first, weekday(first, two, 1))
    second = weekday(seen.day, two, seen.way)
    return intervals.days(weekday(second, one, -1), second)


def ago(seen: Seen) -> Interval:
    """Return `il y a trois semaines`."""
    return counted(seen.day, -number_of(seen["n"]), seen["unit"])


def hence(seen: Seen) -> Interval:
    """Return `dans trois semaines`."""
    return counted(seen.day, number_of(seen["n"]), seen["unit"])


def counted(today: date, count: int, unit: str) -> Interval:
    """Return the day, month or year that lies `count` units from a day."""
    unit = unit.casefold()
    if unit.startswith("jour"):
        # `huit jours` is a week and `quinze jours` two, as a week counted from both ends.
        count = {8: 7, -8: -7, 15: 14, -15: -14}.get(count, count)
        return intervals.day(today + timedelta(days=count))
    if unit.startswith("semaine"):
        return intervals.day(today + timedelta(weeks=count))
    if unit.startswith("mois"):
        return intervals.shifted_month(today, count)
    return intervals.year(today.year + count)


def within(seen: Seen) -> Interval:
    """Return `d'ici trois semaines`: from the article's day to the end of then."""
    return Interval(seen.day, counted(seen.day, number_of(seen["n"]), seen["unit"]).end, "range")


def for_as_long(seen: Seen) -> Interval:
    """Return `depuis trois semaines`: from then until the article's day."""
    begun = counted(seen.day, -number_of(seen["n"]), seen["unit"])
    return Interval(begun.start, seen.day + timedelta(days=1), "range")


def relative(unit: str, rel: str, today: date) -> Interval:
    """Return this, the last or the next week, month or year; `rel` begins with c, d, pass or proch."""
    step = {"c": 0, "d": -1, "p": 1}["d" if rel.startswith("pass") else rel[0]]
    if unit == "semaine":
        return intervals.week(today + timedelta(weeks=step))
    if unit == "mois":
        return intervals.shifted_month(today, step)
    if unit == "week-end":
        # From Monday to Thursday the week-end gone is meant, from Friday on the one that comes.
        this = step == 0 and today.weekday() < 4
        return intervals.weekend(today + timedelta(weeks=-1 if this else step))
    return intervals.year(today.year + step)


def week_end(seen: Seen) -> Interval:
    """Return `ce week-end`, `le week-end dernier`."""
    if not seen["rel"] and seen.way > 0:
        return intervals.weekend(seen.day)
    return relative("week-end", (seen["rel"] or "ce").casefold(), seen.day)


def season_near(seen: Seen) -> Interval:
    """Return a season without a year: the last one begun, the next one after `prochain` or a future verb."""
    name, rel = seen["s"].casefold(), seen["rel"]
    begun = [intervals.season(seen.day.year + by, name) for by in (-2, -1, 0, 1)]
    past = [each for each in begun if (each.end if rel == "dernier" else each.start) <= seen.day]
    coming = [each for each in begun if each.start > seen.day]
    if rel == "prochain" or (rel == "" and seen.way > 0 and past[-1].end <= seen.day):
        return coming[0]
    return past[-1]


def this_season(seen: Seen) -> Interval:
    """Return `cet été`: the present one up to the article's day, or the one nearest to it."""
    around = [intervals.season(seen.day.year + by, seen["s"].casefold()) for by in (-1, 0)]
    for whole in around:
        if whole.start <= seen.day < whole.end:
            return whole if seen.way > 0 else Interval(whole.start, seen.day + timedelta(days=1), "season")
    return min(around, key=lambda whole: min(abs(whole.start - seen.day), abs(whole.end - seen.day)))


def weekday_and_number(seen: Seen) -> Interval:
    """Return `jeudi 10`: such a day within weeks in the direction, else the nearest. Raises ValueError for none."""
    wanted = WEEKDAYS.index(seen["wd"].casefold()), day_of_month(seen["d"])
    in_weeks = (by * (seen.way or -1) for by in range(46))
    in_a_year = (by * way for by in range(367) for way in (-1, 1))
    for by in (*in_weeks, *in_a_year):
        day = seen.day + timedelta(days=by)
        if (day.weekday(), day.day) == wanted:
            return intervals.day(day)
    raise ValueError(f"no {seen.match[0]} within a year")


def part_of_this(seen: Seen) -> Interval:
    """Return `en fin d'année`, `au début du mois prochain`, `fin de l'année 2023`: a third of a year or month."""
    part = _part(seen)
    step = {"": 0, "derni": -1, "pass": -1, "proch": 1}[seen["rel"].casefold()]
    if seen["unit"].casefold() == "mois":
        return intervals.third_of_month(intervals.shifted_month(seen.day, step), part)
    if seen["y"]:
        return intervals.third_of_year(int(seen["y"]), part)
    this = intervals.third_of_year(seen.day.year + step, part)
    if not step and seen.way < 0 and this.start > seen.day:
        return intervals.third_of_year(seen.day.year - 1, part)
    return this


def next_to(seen: Seen) -> Interval:
    """Return `l'année suivante`, `le mois précédent`, seen from the day spoken of before."""
    step = -1 if seen["rel"].casefold().startswith("préc") else 1
    unit = seen["unit"].casefold()
    if unit == "semaine":
        return intervals.week(seen.day + timedelta(weeks=step))
    return intervals.shifted_month(seen.day, step) if unit == "mois" else intervals.year(seen.day.year + step)


def last_few(seen: Seen) -> Interval:
    """Return `les trois derniers jours`: up to the article's day."""
    begun = counted(seen.day, -number_of(seen["n"]), seen["unit"])
    return Interval(begun.start, seen.day + timedelta(days=1), "range")


def feast(seen: Seen) -> Interval:
    """Return Christmas, the first of May …, the nearest in the direction where no year is given."""
    month, dom = FEASTS[seen["feast"].casefold().replace("’", "'")]
    if seen["y"]:
        return intervals.day(date(int(seen["y"]), month, dom))
    return intervals.day(intervals.nearest_year(seen.day, month, dom, way=seen.way))
