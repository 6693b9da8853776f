"""What a matched time expression means, given the day it is seen from and where its sentence points.

Each function may raise ValueError for a day the calendar does not have. Conventions are those of the event
guidelines: `mi-août` is 11-20, weeks begin on Monday, seasons are astronomical, a night between two days is
both of them.
"""

import re
from datetime import date, timedelta

from pipeline.enrich import intervals
from pipeline.enrich.intervals import Interval
from pipeline.enrich.time_words import WEEKDAYS, Direction, day_of_month, month_of, number_of


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


def dated(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `samedi 17 novembre dernier`: the nearest day of that name in the direction."""
    on = WEEKDAYS.index(m["wd"].casefold()) if m["wd"] else None
    towards = {"dernier": -1, "prochain": 1}.get(m["rel"] or "", way)
    return intervals.day(intervals.nearest_year(today, month_of(m["m"]), day_of_month(m["d"]), on, towards))


def monthday(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `le 10`: of this month, or of the one before or behind it where the sentence looks that way."""
    this = date(today.year, today.month, day_of_month(m["d"]))
    if this > today and way <= 0:
        return intervals.day(intervals.month(today.year, today.month - 1).start.replace(day=this.day))
    return intervals.day(this)


def day_range(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `du 28 octobre au 3 novembre`, in the year nearest to the article where none is given."""
    year = m["y"]
    number = month_of(m["m"])
    first_month = month_of(m["m1"]) if m["m1"] else number
    if year:
        last = date(int(year), number, day_of_month(m["d2"]))
    else:
        last = intervals.nearest_year(today, number, day_of_month(m["d2"]))
    return intervals.days(date(last.year - (first_month > number), first_month, day_of_month(m["d1"])), last)


def some_month(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return a month without a year: the last one begun, the next one where the sentence looks ahead."""
    number, rel = month_of(m["m"]), m["rel"]
    forward = rel == "prochain" or (way > 0 and rel is None)
    if forward:
        whole = intervals.month(today.year + (number < today.month + (rel is not None)), number)
    else:
        whole = intervals.month(today.year - (number > today.month - (rel is not None)), number)
    return intervals.third_of_month(whole, m["part"].casefold().rstrip("-")) if m["part"] else whole


def month_of_year(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `février 2022` or `mi-février 2022`."""
    whole = intervals.month(int(m["y"]), month_of(m["m"]))
    return intervals.third_of_month(whole, m["part"].casefold()) if m["part"] else whole


def night(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `la nuit de jeudi à vendredi`: both days."""
    second = weekday(today, m["wd2"], way)
    return intervals.days(second - timedelta(days=1), second)


def two_days(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `lundi et mardi`: from the first to the second."""
    second = weekday(today, m["wd2"], way)
    return intervals.days(weekday(second, m["wd1"], -1), second)


def ago(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `il y a trois semaines`."""
    return counted(today, -number_of(m["n"]), m["unit"])


def hence(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `dans trois semaines`."""
    return counted(today, number_of(m["n"]), m["unit"])


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


def for_as_long(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `depuis trois semaines`: from then until the article's day."""
    begun = counted(today, -number_of(m["n"]), m["unit"])
    return Interval(begun.start, today + timedelta(days=1), "range")


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


def season_near(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return a season without a year: the last one begun, the next one after `prochain` or a future verb."""
    name, rel = m["s"].casefold(), m["rel"]
    begun = [intervals.season(today.year + by, name) for by in (-2, -1, 0, 1)]
    past = [each for each in begun if (each.end if rel == "dernier" else each.start) <= today]
    coming = [each for each in begun if each.start > today]
    if rel == "prochain" or (rel is None and way > 0 and past[-1].end <= today):
        return coming[0]
    return past[-1]


def this_season(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `cet été`: the present one up to the article's day, or the one nearest to it."""
    around = [intervals.season(today.year + by, m["s"].casefold()) for by in (-1, 0)]
    for whole in around:
        if whole.start <= today < whole.end:
            return whole if way > 0 else Interval(whole.start, today + timedelta(days=1), "season")
    return min(around, key=lambda whole: min(abs(whole.start - today), abs(whole.end - today)))


def feast(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return Christmas or New Year's Day, the nearest where no year is given."""
    month, dom = (12, 25) if m["feast"].casefold() == "noël" else (1, 1)
    if m["y"]:
        return intervals.day(date(int(m["y"]), month, dom))
    return intervals.day(intervals.nearest_year(today, month, dom))
