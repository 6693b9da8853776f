"""Events: what the model found, filed by PLOVER, with who, where and when, and the text that proves it."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from pipeline.enrich import plover
from pipeline.enrich.actors import country_of_words, may_be_local, participant
from pipeline.enrich.aimed import aimed_at
from pipeline.enrich.dating import date_event, status_of
from pipeline.enrich.findings import own_events
from pipeline.enrich.mentions import by_sentence, evidence, in_article, overlaps
from pipeline.enrich.places import called_after, lies_between, lies_in_one_country, may_stand_abroad, resolve
from pipeline.enrich.reference import References
from pipeline.enrich.retold import told_again
from pipeline.enrich.scene import Scene, is_state
from pipeline.enrich.times import Anchor
from pipeline.enrich.weapons import mode_by_weapon
from pipeline.events import (
    Article,
    DateRange,
    Entity,
    Mention,
    NewsEvent,
    Participant,
    Place,
    Sentence,
    TimeExpression,
)
from pipeline.identity import event_id
from pipeline.ports import EventSpan, ModelReading, Span

# A meeting told in the present or the past. Of those annotated with a date that is not ahead, 44 of 44 are CONSULT.
_MET = re.compile(
    r"(?:\bréuni(?:e?s?|t|ssent)|\brencontr(?:e|ent|ée?s?)|entretien(?:t|nent)|entretenue?s?|\breçoi(?:t|vent)"
    r"|\b(?:a|ont) reçu|\bvisite(?:nt)?|\baccueill(?:e|ent|i|is)|réunion|rencontre|entretien|sommet)$",
    re.IGNORECASE,
)


def code_events(
    article: Article,
    readings: Sequence[ModelReading],
    mentions: Sequence[Mention],
    entities: Mapping[str, Entity],
    times: Sequence[TimeExpression],
) -> list[NewsEvent]:
    """Return the events of every sentence, in order. Raises ValueError for what PLOVER does not have."""
    events: dict[str, NewsEvent] = {}
    scene = Scene(article, mentions, entities)
    references = References(article, mentions, entities)
    mentions_in = by_sentence(article.sentences, mentions, lambda each: each.start)
    times_in = by_sentence(article.sentences, times, lambda each: each.start)
    for number, (sentence, reading) in enumerate(zip(article.sentences, readings, strict=True)):
        spans = own_events(article.text[sentence.start : sentence.end], reading.events)
        context = _Context(
            article,
            sentence,
            scene.country(number),
            references,
            mentions_in[number],
            entities,
            times_in[number],
            sum(each.type == "ASSAULT" for each in spans),
        )
        triggers = [in_article(sentence, each.trigger) for each in spans]
        for found, trigger in zip(spans, triggers, strict=True):
            others = [each for each in triggers if each != trigger]
            event = _event(context, found, trigger, others)
            events.setdefault(event.event_id, event)
    return told_again(article, list(events.values()))


class _Context(NamedTuple):
    """What one sentence offers to its events."""

    article: Article
    sentence: Sentence
    scene: str | None
    """The country it plays in."""
    references: References
    mentions: list[Mention]
    entities: Mapping[str, Entity]
    times: list[TimeExpression]
    assaults: int


def _event(context: _Context, found: EventSpan, trigger: Span, others: Sequence[Span]) -> NewsEvent:
    article, sentence = context.article, context.sentence
    dated = date_event(article.text, sentence, context.times, found.type, trigger, others)
    type_ = _type(article, found.type, trigger, dated.date)
    coding = plover.code(type_, _mode(context, found), status_of(type_, found.status, dated, _day_of(article)))
    actors, actors_inferred = _participants(context, found.actors)
    recipients, recipients_inferred = _participants(context, found.recipients)
    recipients = recipients or _targets(context, found)
    place, place_inferred = _place(context, found.places)
    inferred = {
        "actors.country": actors_inferred,
        "recipients.country": recipients_inferred,
        "place.country": place_inferred,
    }
    return NewsEvent(
        event_id=event_id(
            "plover",
            article.article_id,
            article.content_hash,
            coding.type,
            coding.mode or "",
            f"{trigger.start}-{trigger.end}",
            *(f"{each.start}-{each.end}" for each in recipients),
        ),
        type=coding.type,
        mode=coding.mode,
        contexts=plover.known_contexts(found.contexts),
        status=coding.status,
        confidence=round(found.confidence, 4),
        quad_class=coding.quad_class,
        plover_score=coding.score,
        cameo_root=coding.cameo_root,
        goldstein=coding.goldstein,
        sentence=evidence(article, Span(sentence.start, sentence.end)),
        trigger=evidence(article, trigger),
        actors=actors,
        recipients=recipients,
        place=place,
        date=dated.date,
        inferred=tuple(name for name, is_so in inferred.items() if is_so),
    )


def _targets(context: _Context, found: EventSpan) -> tuple[Participant, ...]:
    """Return the named places that an attack is aimed at; a town that is bombed is no government."""
    if found.type != "ASSAULT":
        return ()
    start = context.sentence.start
    named = {(m.start - start, m.end - start) for m in context.mentions if m.type == "LOC"}
    sentence = context.article.text[start : context.sentence.end]
    actors = {(span.start, span.end) for span in found.actors}
    aimed = aimed_at(sentence, (p for p in found.places if (p.start, p.end) in named - actors))
    return tuple(replace(each, sectors=()) for each in _participants(context, aimed)[0])


def _type(article: Article, read: str, trigger: Span, when: DateRange | None) -> str:
    """Return CONSULT for a meeting that is told as held and not ahead, whose announcement would be AGREE (rule 8 of the
    guidelines), else the type the model read."""
    today = _day_of(article)
    if read != "AGREE" or when is None or today is None or date.fromisoformat(when.from_[:10]) > today:
        return read
    return "CONSULT" if _MET.search(article.text[trigger.start : trigger.end]) else read


def _mode(context: _Context, found: EventSpan) -> str | None:
    """Return the mode the model read, or what the one weapon named says of the one assault of a sentence."""
    if found.type != "ASSAULT" or context.assaults != 1:
        return found.mode
    sentence = context.article.text[context.sentence.start : context.sentence.end]
    return mode_by_weapon(sentence) or found.mode


def _meant(context: _Context, found: Participant) -> Participant:
    """Return the participant as the person its description or pronoun means, or as it is."""
    if found.entity_id is not None:
        return found
    person = context.references.resolve(Span(found.start, found.end))
    if person is None:
        return found
    return replace(
        found,
        entity_id=person.entity_id,
        name=person.name,
        country=found.country or person.country,
        sectors=found.sectors or person.sectors,
    )


def _day_of(article: Article) -> date | None:
    anchor = Anchor.of(article.published_at, article.published_precision)
    return anchor.day if anchor is not None and anchor.allows("day") else None


def _participants(context: _Context, spans: Sequence[Span]) -> tuple[tuple[Participant, ...], bool]:
    """Return the participants in order, and whether one's country is the scene's for want of words that tell it."""
    moved = sorted({in_article(context.sentence, span) for span in spans})
    told = [_meant(context, participant(context.article, s, context.mentions, context.entities)) for s in moved]
    known = tuple(
        replace(each, country=context.scene) if each.country is None and may_be_local(each.text) else each
        for each in told
    )
    return known, any(a.country != b.country for a, b in zip(told, known, strict=True))


def _place(context: _Context, spans: Sequence[Span]) -> tuple[Place | None, bool]:
    """Return the narrowest of the places the model gave, a town before a region, that before a country; and whether its
    country is the scene's for want of words that tell it: `le terminal de l'aéroport`, a village no gazetteer has."""
    moved = [in_article(context.sentence, span) for span in spans]
    # `l'adhésion à l'Otan`: a body's or a person's bare name is no place.
    bare = {(m.start, m.end) for m in context.mentions if m.type in ("ORG", "PER")}
    found = [_placed(context, span) for span in moved if (span.start, span.end) not in bare]
    place = min(found, key=lambda each: (each.lat is None, each.geonames_id is None), default=None)
    if place is None or place.country is not None or lies_between(place.text) or not lies_in_one_country(place.text):
        return place, False
    told = country_of_words(place.text)
    if told is not None and not is_state(told):
        return place, False
    if told is not None and may_stand_abroad(place.text):
        abroad = context.scene if context.scene != told else None
        return replace(place, country=abroad), abroad is not None
    return replace(place, country=told or context.scene), told is None and context.scene is not None


def _placed(context: _Context, span: Span) -> Place:
    at = evidence(context.article, span)
    inside = (each for each in context.mentions if each.entity_id and overlaps(span, [Span(each.start, each.end)]))
    mention = next((each for each in inside if each.type == "LOC"), None)
    if mention is not None and called_after(at.text, mention.text):
        return Place(start=at.start, end=at.end, text=at.text)
    if mention is not None:
        entity = context.entities[mention.entity_id or ""]
        return Place(
            start=at.start,
            end=at.end,
            text=at.text,
            name=entity.name,
            geonames_id=entity.geonames_id,
            lat=entity.lat,
            lon=entity.lon,
            country=entity.country,
        )
    known = resolve(at.text)
    if known is None:
        return Place(start=at.start, end=at.end, text=at.text)
    return Place(
        start=at.start,
        end=at.end,
        text=at.text,
        name=known.name,
        geonames_id=known.geonames_id,
        lat=known.lat,
        lon=known.lon,
        country=known.country,
    )
