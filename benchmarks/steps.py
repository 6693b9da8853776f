"""Each step alone, on the same articles: articles a second and MB of text a second, one core."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline import codec
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.onnx import OnnxModel
from pipeline.enrich import read_article
from pipeline.errors import Flaw
from pipeline.events import Article, EnrichedArticle, Event, RawArticle
from pipeline.fetch import Source, pull
from pipeline.normalise import clean
from pipeline.ports import Record
from pipeline.store import segment
from training.data import read_press

_SEEDS = Path(__file__).parent.parent / "seeds"
_MODEL = Path(__file__).parent.parent / "models" / "fr-news-small"


class Figure(NamedTuple):
    """One measured step."""

    step: str
    articles_per_s: float
    mb_per_s: float


def raw_articles(times: int) -> list[RawArticle]:
    """Return the seed files and lines, `times` over, as fetch gives them."""
    now = datetime.now(UTC)
    files = DirectoryStore(_SEEDS)
    out: list[RawArticle] = []
    for kind, path in (("text", "articles/*.txt"), ("jsonl", "archives/*.jsonl")):
        source = Source(name=kind, kind=kind, path=path)
        for haul in pull(source, None, fetcher=None, files=files, now=now):  # type: ignore[arg-type]
            out += [item for item in haul.items if isinstance(item, RawArticle)]
    return out * times


def _timed(step: str, run: Callable[[], Sequence[object]], size: int) -> tuple[Figure, Sequence[object]]:
    began = time.perf_counter()
    results = run()
    seconds = time.perf_counter() - began
    return Figure(step, len(results) / seconds, size / 2**20 / seconds), results


def steps() -> list[Figure]:
    """Return the figure of each step, each on what the step before gave."""
    raws = raw_articles(20)
    now = datetime.now(UTC)
    few = raws[:100]
    figures: list[Figure] = []
    figure, articles = _timed("normalise", lambda: [clean(r, now) for r in raws], sum(len(r.body) for r in raws))
    figures.append(figure)
    texts = [a for a in articles if isinstance(a, Article)]
    sample = texts[: len(few)]
    model = OnnxModel(_MODEL)
    read_article(sample[0], model=model, now=now)
    size = sum(len(a.text.encode()) for a in sample)
    figure, enriched = _timed("enrich", lambda: [read_article(a, model=model, now=now) for a in sample], size)
    figures.append(figure)
    events = [
        Event(codec.envelope(e, time=now, cause=None), e) for e in enriched if isinstance(e, EnrichedArticle)
    ] * 10
    figure, wires = _timed("codec, write", lambda: [codec.encode(e) for e in events], 0)
    values = [w for w in wires if isinstance(w, codec.Wire)]
    size = sum(len(w.value) for w in values)
    figures.append(figure._replace(mb_per_s=size / 2**20 * figure.articles_per_s / len(values)))
    figure, read = _timed("codec, read", lambda: [codec.decode(w) for w in values], size)
    assert not any(isinstance(each, Flaw) for each in read)
    figures.append(figure)
    records = [Record("news.article.enriched", 0, n, now, w.key, w.headers, w.value) for n, w in enumerate(values)]
    figure, _ = _timed("archive (cut)", lambda: _cut(records, now), size)
    figures.append(figure._replace(articles_per_s=figure.mb_per_s * 2**20 / (size / len(values))))
    return figures


def _cut(records: Sequence[Record], now: datetime) -> Sequence[object]:
    return [segment(records, start=0, end=len(records), now=now, unique="bench")]


def articles(sentences: int) -> list[list[str]]:
    """Return articles as their sentences, about `sentences` in all, none twice: our own press texts."""
    out: list[list[str]] = []
    for document in read_press().values():
        out.append([example.text for example in document])
        if sum(map(len, out)) >= sentences:
            break
    return out
