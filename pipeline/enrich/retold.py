"""Which events of an article are one and the same, told again in the caption, further down, in other words.

Two tellings are one where nothing sets them apart (type, status or mode, dates that do not meet, another place, other
parties) and something ties them: two of actors, recipients and place in common; or, where only one event told before
can be meant, a noun with a definite article, `cette visite`, `la réunion`, or a lead that tells its title again, one
of them in common. What is not safe stays apart: an event counted twice is a smaller fault than two counted as one.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cache

from msgspec.structs import replace

from pipeline.enrich import tables
from pipeline.enrich.places import country_named
from pipeline.events import Article, DateRange, NewsEvent, Participant, Place

_DEFINITE = re.compile(r"(?:\b(?:le|la|ce|cet|cette)\s|\bl['’])$", re.IGNORECASE)
# `l'invasion russe de février` says itself which one it means.
_DESCRIBED = re.compile(r"\s(?:\w+\s)?(?:(?:de|du|des|contre)\b|d['’])", re.IGNORECASE)
_FROM_FINE_TO_COARSE = ("instant", "hour", "day", "range", "week", "month", "season", "quarter", "year", "decade")
# Who meets whom is often told the other way round, and how, only once.
_MUTUAL = frozenset(("CONSULT", "AGREE"))
_TIES = 2
# A telling is compared with this many stories of its type, the latest, and this many tellings of each, the first: no
# news article has more, and a text of a megabyte takes no more than its length.
_STORIES, _TELLINGS = 40, 10


class _Compared(Enum):
    SAME = "same"
    APART = "apart"
    OPEN = "open"


def told_again(article: Article, events: Sequence[NewsEvent]) -> list[NewsEvent]:
    """Return the events in their order, each later telling with the `same_as` of the first.

    A date or place that a telling lacks and another has is lent to it; `inferred` says `date` or `place` then.
    """
    stories: dict[tuple[str, str], list[list[NewsEvent]]] = defaultdict(list)
    for event in events:
        alike = stories[event.type, event.status]
        story = _story_of(article, event, alike[-_STORIES:])
        if story is None:
            alike.append([event])
        else:
            story.append(event)
    told = {each.event_id: each for alike in stories.values() for story in alike for each in _completed(story)}
    return [told[event.event_id] for event in events]


def _story_of(article: Article, event: NewsEvent, stories: Sequence[list[NewsEvent]]) -> list[NewsEvent] | None:
    possible = [(story, ties) for story in stories if (ties := _ties(story, event)) is not None]
    tied = [(ties, -n) for n, (_, ties) in enumerate(possible) if ties >= _TIES]
    if tied:
        return possible[-max(tied)[1]][0]
    if len(possible) != 1:
        return None
    story, _ = possible[0]
    return story if _takes_up(article, event) or _leads(article, story[0], event) else None


def _ties(story: Sequence[NewsEvent], event: NewsEvent) -> int | None:
    """Return how much ties an event to a story of its type and status; None where something sets it apart."""
    most = 0
    for told in (*story[:_TELLINGS], story[-1]):
        if told.sentence == event.sentence:
            return None
        compared = _compared(told, event)
        same = compared.count(_Compared.SAME)
        modes_differ = bool(told.mode and event.mode and told.mode != event.mode)
        if _Compared.APART in compared or _dates_apart(told.date, event.date):
            return None
        if modes_differ and not (event.type in _MUTUAL and same >= _TIES):
            return None
        most = max(most, same)
    return most


def _compared(one: NewsEvent, other: NewsEvent) -> list[_Compared]:
    return [*_parties(one, other), _places(_read(one), _read(other))]


def _read(event: NewsEvent) -> Place | None:
    """Return the place without a country that was only inferred: it sets nothing apart and ties nothing."""
    guessed = event.place is not None and "place.country" in event.inferred
    return replace(event.place, country=None) if event.place is not None and guessed else event.place


def _takes_up(article: Article, event: NewsEvent) -> bool:
    """Tell whether the trigger is a noun that means an event told before: `la réunion`, not `une réunion`."""
    if event.trigger.text.casefold() not in _nouns()[event.type]:
        return False
    start, end = event.trigger.start, event.trigger.end
    definite = _DEFINITE.search(article.text, max(0, start - 6), start)
    return definite is not None and _DESCRIBED.match(article.text, end) is None


def _leads(article: Article, told: NewsEvent, event: NewsEvent) -> bool:
    """Tell whether an event of the title comes again in one of the two sentences behind it."""
    title, *body = article.sentences
    lead = {sentence.start for sentence in body[:2]}
    if title.kind != "heading" or told.sentence.start != title.start or event.sentence.start not in lead:
        return False
    one, other = _read(told), _read(event)
    same_country = bool(one and other and one.country and one.country == other.country)
    return same_country or _Compared.SAME in _compared(told, event)


@cache
def _nouns() -> Mapping[str, AbstractSet[str]]:
    nouns: dict[str, set[str]] = defaultdict(set)
    for type_, noun in tables.rows("retellings.tsv", 2):
        nouns[type_].add(noun)
    return nouns


def _parties(one: NewsEvent, other: NewsEvent) -> list[_Compared]:
    if one.type not in _MUTUAL:
        guessed = {*one.inferred, *other.inferred}
        return [
            _party(one.actors, other.actors, known="actors.country" not in guessed),
            _party(one.recipients, other.recipients, known="recipients.country" not in guessed),
        ]
    first, second = _named([*one.actors, *one.recipients]), _named([*other.actors, *other.recipients])
    common = len(first & second)
    if common:
        return [_Compared.SAME] * common
    # Of a meeting of many each sentence names some.
    many = "multilateral" in (one.mode, other.mode)
    return [_Compared.APART if first and second and not many else _Compared.OPEN]


def _party(one: Sequence[Participant], other: Sequence[Participant], *, known: bool) -> _Compared:
    """Compare two sides: by whom they name; where one is only described, by country, unless that was inferred."""
    if _named(one) & _named(other):
        return _Compared.SAME
    described = any(p.entity_id is None for p in (*one, *other))
    countries = [{p.country for p in side if p.country} for side in (one, other)]
    if not one or not other or (described and not (known and all(countries))):
        return _Compared.OPEN
    return _Compared.SAME if described and countries[0] & countries[1] else _Compared.APART


def _named(parties: Sequence[Participant]) -> set[str]:
    return {p.entity_id for p in parties if p.entity_id is not None}


def _places(one: Place | None, other: Place | None) -> _Compared:
    if one is None or other is None:
        return _Compared.OPEN
    if one.geonames_id is not None and one.geonames_id == other.geonames_id:
        return _Compared.SAME
    if one.country and other.country and one.country != other.country:
        return _Compared.APART
    if one.text in other.text or other.text in one.text:
        return _Compared.SAME
    return _Compared.OPEN if _is_wide(one) or _is_wide(other) else _Compared.APART


def _is_wide(place: Place) -> bool:
    """Tell whether a place is a whole country, or none the gazetteer has: others may lie in it."""
    return place.geonames_id is None or country_named(place.text) is not None


def _dates_apart(one: DateRange | None, other: DateRange | None) -> bool:
    return one is not None and other is not None and not (one.from_ < other.to and other.from_ < one.to)


def _completed(story: Sequence[NewsEvent]) -> list[NewsEvent]:
    dates = [each.date for each in story if each.date is not None]
    date = min(dates, key=lambda each: _FROM_FINE_TO_COARSE.index(each.granularity), default=None)
    places = [each.place for each in story if each.place is not None]
    place = min(places, key=_is_wide, default=None)
    out = []
    for n, each in enumerate(story):
        lent = [
            name
            for name, own, other in (("date", each.date, date), ("place", each.place, place))
            if own is None and other
        ]
        out.append(
            replace(
                each,
                date=each.date or date,
                place=each.place or place,
                same_as=story[0].event_id if n else None,
                inferred=(*each.inferred, *lent),
            )
        )
    return out
