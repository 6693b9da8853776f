"""Text → sentences, by the cutting rule the annotated data was made with (event_guidelines.md, "Sentences").

Cut after [.!?…]+ and the closing marks that follow it, before a blank and a capital, digit, quote or dash;
where a page glued two paragraphs, directly before a capital or quote. Never after M., Mme, Dr or an initial.
Time is linear in the length of the text.
"""

import re
from collections.abc import Iterator, Sequence

from pipeline.events import Sentence, SentenceKind

_CLOSERS = r"(?: ?[»”]|[\"'’)\]])*"
_END = re.compile(
    rf"[.!?…]+{_CLOSERS}(?=(?P<blank>\s+)[A-ZÀ-ÖØ-ÞŒ0-9«“\"'‘(\[–—-])"
    rf"|(?<=[a-zà-öø-ÿœ0-9])[.!?…]+{_CLOSERS}(?=[A-ZÀ-ÖØ-ÞŒ][a-zà-öø-ÿœ']|[«“])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:MM?|Mmes?|Mlles?|Mgr|Drs?|Prs?|St|Ste|Me|cf|av|apr|env|art|vol|no|éd|dir)|\b[A-ZÀ-ÖØ-Þ](?:\.-?[A-ZÀ-ÖØ-Þ])*)$"
)
_HEADING = re.compile(r"^[-–—] .{1,150} [-–—]$")
_CREDIT = re.compile(r"\(\s*[^()]{0,120}(?:/|AFP|AP|Reuters|Photo|Crédit|©|Archives)[^()]{0,120}\)\s*$")
_PLACE = r"[A-ZÀ-ÖØ-Þ][\w'’ /-]{1,40}?"
_DAY = r"\d{1,2}(?:er)? (?:janv?|févr|fév|mars|avr|mai|juin|juil|août|sept|oct|nov|déc)\w*\.?(?: \d{4})?"
_AGENCY = r"\([A-Z][^()]{1,20}\)"
# PARIS - … | PARIS (AFP) - … | Paris, 12 mars 2024 (AFP) - …
_PLACE_TOLD = rf"(?:[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ'’ /-]{{1,40}}|{_PLACE}(?=, {_DAY}|,? {_AGENCY}))"
_DATELINE = re.compile(rf"^{_PLACE_TOLD}(?: {_AGENCY})?(?:, {_DAY})?(?:,? {_AGENCY})? [-–—](?=\s)")
_QUOTE = re.compile(r"^[«“\"].*[»”\"][.!?…]?$", re.DOTALL)
_LONGEST_DATELINE = 160


def cut(paragraphs: Sequence[str], *, titled: bool) -> tuple[str, tuple[Sentence, ...]]:
    """Return the text, paragraphs joined by an empty line, and its sentences.

    `titled`: the first paragraph is the title. Offsets are code points; no sentence crosses a paragraph.
    """
    out: list[Sentence] = []
    at = 0
    for number, paragraph in enumerate(paragraphs):
        for start, end, kind in _pieces(paragraph, is_title=titled and number == 0):
            out.append(Sentence(start=at + start, end=at + end, kind=kind))
        at += len(paragraph) + 2
    return "\n\n".join(paragraphs), tuple(out)


def _pieces(paragraph: str, *, is_title: bool) -> Iterator[tuple[int, int, SentenceKind]]:
    if is_title or _HEADING.match(paragraph):
        yield 0, len(paragraph), "heading"
        return
    if _CREDIT.search(paragraph[-300:]) and len(paragraph) < 600:
        yield 0, len(paragraph), "caption"
        return
    first = 0
    if dateline := _DATELINE.match(paragraph[:_LONGEST_DATELINE]):
        first = dateline.end()
        yield 0, first, "dateline"
    for start, end in _spans(paragraph, first):
        yield start, end, "quote" if _QUOTE.match(paragraph[start:end]) else "body"


def _spans(paragraph: str, first: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence from `first` on, without the blanks around it."""
    start = first
    for match in _END.finditer(paragraph, first):
        if paragraph[match.start()] == "." and _ABBREVIATION.search(
            paragraph[max(start, match.start() - 12) : match.start()]
        ):
            continue
        if paragraph[start : match.end()].strip():
            yield _trimmed(paragraph, start, match.end())
        start = match.end()
    if paragraph[start:].strip():
        yield _trimmed(paragraph, start, len(paragraph))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
