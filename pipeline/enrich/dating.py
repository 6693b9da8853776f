"""When an event was, by the times of its sentence, and what that says of its status."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pipeline.enrich import intervals
from pipeline.enrich.time_words import DAY, FULL_M, WEEKDAY
from pipeline.events import DateRange, Sentence, TimeExpression
from pipeline.ports import Span

_DATING = frozenset({"day", "week", "month", "season", "quarter", "year", "decade", "range"})
"""Granularities that date an event; a clock time alone does not (rule 6 of the guidelines)."""

_HISTORICAL_AFTER = timedelta(days=30)
_VERBAL = frozenset(("AGREE", "CONCEDE", "REQUEST", "THREATEN", "ACCUSE", "REJECT"))
# A date that begins within this many code points of its sentence opens it: `Dans la nuit de jeudi …`;
_OPENING = 12
# one that begins within this many behind a trigger is its own.
_ADJOINS = 4
_SINCE = "depuis"
_UNTIL = "jusqu"
_DEADLINE = re.compile(r"avant\b|d['’]ici\b")
_BEGAN = re.compile(
    rf"{_SINCE} (?:au moins )?(?:(?P<day>(?:le |ce )?(?:{WEEKDAY}|(?:avant-)?hier|{DAY}\s{FULL_M}).*)"
    rf"|(?:le mois (?:de |d['’]))?{FULL_M}(?: dernier|\s\d{{4}})?|(?P<year>\d{{4}}))",
    re.IGNORECASE,
)
_OF = re.compile(r"(?:\bde |\bdu |\bd['’])$")


class Dating(NamedTuple):
    """The date of an event, None where its sentence gives none, and whether it has lasted since then."""

    date: DateRange | None = None
    lasts: bool = False


def date_event(
    text: str, sentence: Sentence, times: Sequence[TimeExpression], type_: str, trigger: Span, others: Sequence[Span]
) -> Dating:
    """Return the date of the time expression nearest to the trigger, unless that is nearer to another event.

    An expression that opens the sentence dates every event in it. Offsets are those of `text`, the article's.
    """
    near = [
        each
        for each in times
        if _may_date(text, sentence, each, type_, trigger)
        and (each.start - sentence.start <= _OPENING or _nearest_to(each, trigger, others))
    ]
    nearest = min(near, key=lambda each: _distance(each, trigger), default=None)
    if nearest is None:
        return Dating()
    began = _BEGAN.fullmatch(nearest.text)
    if began is not None:
        return Dating(_beginning(nearest, began), lasts=True)
    as_said = DateRange(from_=nearest.from_, to=nearest.to, granularity=nearest.granularity)
    return Dating(as_said, lasts=nearest.text.casefold().startswith(_SINCE))


def status_of(type_: str, read: str, dated: Dating, today: date | None) -> str:
    """Return the status that the event's own date settles, else the one the model read.

    What ended more than thirty days before the article is historical (rule 7 of the guidelines; of the annotated
    events so dated 99 % are), what is nearer is not. What lies ahead is future, but for the verbal acts, whose date
    is that of what they announce.
    """
    when = dated.date
    if when is None or dated.lasts or today is None or read in ("negated", "hypothetical"):
        return read
    if date.fromisoformat(when.to[:10]) <= today - _HISTORICAL_AFTER:
        return "historical"
    if date.fromisoformat(when.from_[:10]) > today:
        return read if type_ in _VERBAL else "future"
    # A month or a year that goes on says nothing of how long ago within it.
    recent = date.fromisoformat(when.from_[:10]) > today - _HISTORICAL_AFTER
    return "asserted" if read == "historical" and recent else read


def _may_date(text: str, sentence: Sentence, time: TimeExpression, type_: str, trigger: Span) -> bool:
    """Tell whether a time can be that of an event.

    `depuis …` tells how long a state has lasted, unless it is the event that lasts: `bloqué depuis le 29 avril`.
    `jusqu'au …` says when it ends; `avant …` and `d'ici à …`, when what is promised or asked for must be done; what is
    put in parentheses behind it, something else. Each of these gains more dates of the annotated articles outside the
    test part than it loses.
    """
    words = time.text.casefold()
    if time.granularity not in _DATING or words.startswith(_UNTIL):
        return False
    if words.startswith(_SINCE) and not 0 <= time.start - trigger.end <= _ADJOINS:
        return False
    if type_ in _VERBAL and _DEADLINE.match(words):
        return False
    return not (_in_parentheses(text, sentence, time, trigger) or _belongs_to_noun(text, time, trigger))


def _in_parentheses(text: str, sentence: Sentence, time: TimeExpression, trigger: Span) -> bool:
    """Tell whether a time stands in parentheses behind the trigger: `(né le 31 décembre 1977)`."""
    opening = text.rfind("(", sentence.start, time.start)
    return opening > text.rfind(")", sentence.start, time.start) and opening >= trigger.end


def _belongs_to_noun(text: str, time: TimeExpression, trigger: Span) -> bool:
    """Tell whether a month or year only says which one a noun is: `l'invasion russe de février 2022`."""
    after_de = _OF.search(text, max(0, time.start - 3), time.start) is not None
    return after_de and time.granularity in ("month", "year") and not 0 <= time.start - trigger.end <= _ADJOINS


def _beginning(time: TimeExpression, began: re.Match[str]) -> DateRange:
    """Return the day, month or year in which began what has lasted since."""
    first = date.fromisoformat(time.from_[:10])
    whole = intervals.year(first.year) if began["year"] else intervals.month(first.year, first.month)
    start = intervals.day(first) if began["day"] else whole
    from_, to = start.iso()
    return DateRange(from_=from_, to=to, granularity=start.granularity)


def _nearest_to(time: TimeExpression, trigger: Span, others: Sequence[Span]) -> bool:
    return all(_distance(time, trigger) <= _distance(time, other) for other in others)


def _distance(time: TimeExpression, trigger: Span) -> int:
    return max(time.start - trigger.end, trigger.start - time.end, 0)
