"""French time expressions, by rule: where they stand, and which interval they mean against the article's date.

Sentences are searched with the table of `time_rules`; the longest expression at a place wins. `depuis`, `avant`,
`d'ici` and `jusqu'à` in front of an expression make it a range. What cannot be resolved (`la veille`, or a
weekday in an article without a date) is not given.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from pipeline.enrich import intervals
from pipeline.enrich.intervals import Interval
from pipeline.enrich.time_rules import CLOCK, RULES, Needs, looks_ahead
from pipeline.events import Article, Precision, TimeExpression

# Weekdays are those of the newsroom: a page published at 23:30 UTC in summer was published the next day in Paris.
_NEWSROOM = ZoneInfo("Europe/Paris")
_ONE_DAY = timedelta(days=1)
_ARTICLE = r"(?:l['’]|le |la |les |au |aux |du |de l['’]|de la )?"
_SINCE = re.compile(r"\bdepuis (?:au moins |l['’]|le |la |les )?$", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:avant|d['’]ici)(?: à)? {_ARTICLE}$", re.IGNORECASE)
_UNTIL = re.compile(r"\bjusqu(?:['’]à la |['’]à l['’]|['’]à |['’]au |['’]en )$", re.IGNORECASE)
# A clock time belongs to a day named at most this many code points before it.
_CLOCK_REACH = 30


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
    for sentence in article.sentences:
        for each in read_times(article.text[sentence.start : sentence.end], anchor):
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


def read_times(sentence: str, anchor: Anchor | None) -> list[_Found]:
    """Return the expressions of one sentence, not overlapping, from left to right."""
    found: list[_Found] = []
    for each in sorted(_candidates(sentence, anchor), key=lambda each: (each.start, -each.end)):
        if not found or each.start >= found[-1].end:
            found.append(each)
    widened = [_widened(sentence, each, anchor) for each in found]
    clocks = _clocks(sentence, found)
    return sorted([*widened, *clocks], key=lambda each: each.start)


def _candidates(sentence: str, anchor: Anchor | None) -> Iterator[_Found]:
    for rule in RULES:
        if rule.needs != "nothing" and (anchor is None or not anchor.allows(rule.needs)):
            continue
        for match in rule.pattern.finditer(sentence):
            ahead = looks_ahead(sentence, match.start(), match.end())
            try:
                interval = rule.resolve(match, anchor.day if anchor else date.min, ahead)
            except (ValueError, OverflowError):  # the 31st of June, a range that runs backwards
                continue
            yield _Found(match.start(), match.end(), interval)


def _widened(sentence: str, found: _Found, anchor: Anchor | None) -> _Found:
    """Return the expression with the preposition that makes a range of it, or as it is."""
    if anchor is None or anchor.precision == "month":
        return found
    left, interval, today = sentence[: found.start], found.interval, anchor.day
    since, before, until = _SINCE.search(left), _BEFORE.search(left), _UNTIL.search(left)
    if since and interval.start <= today:
        return _Found(since.start(), found.end, Interval(interval.start, today + _ONE_DAY, "range"))
    if before and interval.start > today:
        end = interval.end if "ici" in before[0].casefold() else interval.start
        return _Found(before.start(), found.end, Interval(today, end, "range"))
    if until and interval.end > today:
        return _Found(until.start(), found.end, Interval(today, interval.end, "range"))
    return found


def _clocks(sentence: str, found: list[_Found]) -> Iterator[_Found]:
    """Yield the clock times that stand beside a day: `vendredi à 14h30`."""
    for match in CLOCK.finditer(sentence):
        beside = [
            each
            for each in found
            if each.interval.granularity == "day" and 0 <= match.start() - each.end <= _CLOCK_REACH
        ]
        if beside and int(match["hour"]) < 24:
            minute = int(match["minute"]) if match["minute"] else None
            yield _Found(
                match.start(),
                match.end(),
                intervals.hour(beside[-1].interval.start, int(match["hour"]), minute),
            )
