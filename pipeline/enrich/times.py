"""French time expressions, by rule: where they stand, and which interval they mean.

Sentences are searched with the table of `time_rules`; the longest expression at a place wins. `depuis`,
`avant`, `d'ici` and `jusqu'à` in front of an expression make it a range. What cannot be resolved
(a weekday in an article without a date) is not given.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from pipeline.enrich import intervals
from pipeline.enrich.intervals import Interval
from pipeline.enrich.time_meanings import Seen
from pipeline.enrich.time_rules import CLOCK, CONTEXT_RULES, RULES, Needs, Rule
from pipeline.enrich.time_words import direction, speaks_of_time
from pipeline.events import Article, Precision, TimeExpression

# Weekdays are those of the newsroom: 23:30 UTC is the next day in Paris.
_NEWSROOM = ZoneInfo("Europe/Paris")
_ONE_DAY = timedelta(days=1)
_ARTICLE = r"(?:l['’]|le |la |les |au |aux |du |de l['’]|de la )?"
_MONTH_OF = r"(?:mois (?:de |d['’]))?"
_SINCE = re.compile(rf"\bdepuis (?:au moins |ce |cette |cet |l['’]|le |la |les )?{_MONTH_OF}$", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:avant|(?P<by>d['’]ici))(?: à)? (?:ce |cette |cet )?{_ARTICLE}{_MONTH_OF}$", re.IGNORECASE)
_UNTIL = re.compile(rf"\bjusqu['’](?:à (?:la |l['’]|ce |cette )?|au |en ){_MONTH_OF}$", re.IGNORECASE)
# The end of a year as a deadline is its last day, not its last third.
_YEAR_END = re.compile(r"fin d.*ann", re.IGNORECASE)
# A clock time belongs to a day named at most this many code points before it.
_CLOCK_REACH = 16
_PREPOSITION_REACH = 30


class Anchor(NamedTuple):
    """The day an article speaks from, and how exactly it is known."""

    day: date
    precision: Precision

    @classmethod
    def of(cls, published_at: datetime | None, precision: Precision | None) -> Self | None:
        """Return the anchor of an article, None when its date is not known."""
        if published_at is None:
            return None
        return cls(published_at.astimezone(_NEWSROOM).date(), precision or "instant")

    def allows(self, needs: Needs) -> bool:
        """Tell whether a rule may use this anchor: a weekday means nothing in a month."""
        return needs != "day" or self.precision != "month"


class _Found(NamedTuple):
    start: int
    end: int
    interval: Interval


def find_times(article: Article, anchor: Anchor | None) -> list[TimeExpression]:
    """Return the time expressions of every sentence that resolve, in order of the text."""
    found = []
    context = None
    for sentence in article.sentences:
        read = read_times(article.text[sentence.start : sentence.end], anchor, context)
        last = _Days(read).before(sentence.end)
        context = last.interval.start if last else context
        for each in read:
            start, end = sentence.start + each.start, sentence.start + each.end
            from_, to = each.interval.iso()
            found.append(
                TimeExpression(
                    start=start,
                    end=end,
                    text=article.text[start:end],
                    from_=from_,
                    to=to,
                    granularity=each.interval.granularity,
                )
            )
    return found


def read_times(sentence: str, anchor: Anchor | None, context: date | None = None) -> list[_Found]:
    """Return the expressions of one sentence, not overlapping, from left to right.

    `context` is the day last spoken of before it, which `la veille` or `dans la soirée` refer to.
    """
    if not speaks_of_time(sentence):
        return []
    found = _longest(_standing(sentence, anchor))
    today = anchor.day if anchor and anchor.precision != "month" else None
    found = _longest([*found, *_leaning(sentence, found, context, today)])
    widened = [_widened(sentence, each, anchor) for each in found]
    return sorted([*widened, *_clocks(sentence, found)], key=lambda each: each.start)


def _longest(candidates: Iterable[_Found]) -> list[_Found]:
    """Return candidates that do not overlap, the longest of those that begin together, from left to right."""
    found: list[_Found] = []
    for each in sorted(candidates, key=lambda each: (each.start, -each.end)):
        if not found or each.start >= found[-1].end:
            found.append(each)
    return found


class _Days:
    """The days found in a sentence, to be asked which one stands last before a place."""

    def __init__(self, found: Sequence[_Found]) -> None:
        self._days = [each for each in found if each.interval.granularity == "day"]
        self._ends = [each.end for each in self._days]

    def before(self, place: int) -> _Found | None:
        at = bisect_right(self._ends, place)
        return self._days[at - 1] if at else None


def _standing(sentence: str, anchor: Anchor | None) -> Iterator[_Found]:
    """Yield what stands on its own, or on the article's date."""
    for rule in RULES:
        if rule.needs == "nothing" or (anchor is not None and anchor.allows(rule.needs)):
            for match in rule.pattern.finditer(sentence):
                yield from _resolved(sentence, rule, match, anchor.day if anchor else date.min)


def _leaning(sentence: str, found: Sequence[_Found], context: date | None, today: date | None) -> Iterator[_Found]:
    """Yield what leans on a day named before it; most of it, where none is, on the article's."""
    days = _Days(found)
    for rule in CONTEXT_RULES:
        for match in rule.pattern.finditer(sentence):
            last = days.before(match.start())
            day = last.interval.start if last else context
            if day is None and rule.needs != "told":
                day = today
            if day is not None:
                yield from _resolved(sentence, rule, match, day)


def _resolved(sentence: str, rule: Rule, match: re.Match[str], day: date) -> Iterator[_Found]:
    way = direction(sentence, match.start(), match.end())
    # ValueError: a day the calendar lacks, or a range that runs backwards. Then nothing was said of time.
    with suppress(ValueError, OverflowError):
        yield _Found(match.start(), match.end(), rule.resolve(Seen(match, day, way)))


def _widened(sentence: str, found: _Found, anchor: Anchor | None) -> _Found:
    """Return the expression with the preposition that makes a range of it, or as it is."""
    if anchor is None or anchor.precision == "month":
        return found
    interval, today = found.interval, anchor.day
    since, before, until = (
        pattern.search(sentence, max(0, found.start - _PREPOSITION_REACH), found.start)
        for pattern in (_SINCE, _BEFORE, _UNTIL)
    )
    if since and interval.start <= today:
        return _Found(since.start(), found.end, Interval(interval.start, today + _ONE_DAY, "range"))
    if before:
        to_its_end = before["by"] or _YEAR_END.match(sentence, found.start, found.end)
        end = interval.end if to_its_end else interval.start
        if end > today:
            return _Found(before.start(), found.end, Interval(today, end, "range"))
    if until and interval.end > today:
        return _Found(until.start(), found.end, Interval(today, interval.end, "range"))
    return found


def _clocks(sentence: str, found: list[_Found]) -> Iterator[_Found]:
    """Yield the clock times that stand beside a day: `vendredi à 14h30`."""
    days = _Days(found)
    for match in CLOCK.finditer(sentence):
        day = days.before(match.start())
        if day is not None and match.start() - day.end <= _CLOCK_REACH and int(match["hour"]) < 24:
            minute = int(match["minute"]) if match["minute"] else None
            yield _Found(match.start(), match.end(), intervals.hour(day.interval.start, int(match["hour"]), minute))
