"""The text every offset refers to: NFC, no invisible characters, one blank between words, one empty line
between paragraphs. Cleaning a clean text changes nothing."""

import re
import unicodedata

# Invisible in French: zero-width space and no-break space, soft hyphen, word joiner, bidirectional marks.
# The zero-width joiner stays: emoji are made with it.
_INVISIBLE = dict.fromkeys(
    [0x200B, 0xFEFF, 0x00AD, 0x2060, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
# A page in CP1252 that was stored as Latin-1 leaves the euro sign as U+0080.
_MENDED = {0x80: "€", 0x85: "…", 0x91: "‘", 0x92: "’", 0x93: "“", 0x94: "”", 0x96: "–", 0x97: "—", 0x9C: "œ", 0x8C: "Œ"}
_BREAKS = {0x0D: "\n", 0x0B: "\n", 0x0C: "\n", 0x2028: "\n", 0x2029: "\n\n"}
_CONTROLS = {code: None for code in [*range(0x20), *range(0x7F, 0xA0)] if code not in (0x09, 0x0A)}
_TABLE = {**_CONTROLS, **_INVISIBLE, **_MENDED, **_BREAKS}
_BLANKS = re.compile(r"[^\S\n]+")
_AROUND_BREAK = re.compile(r" ?\n ?")
_PARAGRAPH = re.compile(r"\n{2,}")


def clean_line(text: str) -> str:
    """Return the text on one line, for titles and names."""
    return clean(text).replace("\n", " ").replace("  ", " ").strip()


def clean(text: str) -> str:
    """Return the cleaned text; line breaks are kept, three or more become two."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").translate(_TABLE))
    text = _AROUND_BREAK.sub("\n", _BLANKS.sub(" ", text))
    return _PARAGRAPH.sub("\n\n", text).strip()


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text as its author meant them.

    Where empty lines separate paragraphs, single line breaks are only wrapping; where there are none, each
    line is a paragraph.
    """
    cleaned = clean(text)
    if "\n\n" in cleaned:
        return [part.replace("\n", " ") for part in cleaned.split("\n\n")]
    return [line for line in cleaned.split("\n") if line]
