"""Pulling sources into the log, wired."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pipeline import flow
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.kafka import KafkaWriter
from pipeline.bootstrap.wiring import browser, catalogue, kafka, next_night, settings
from pipeline.errors import Misconfigured
from pipeline.fetch import Source, SourceReport, pull
from pipeline.pull import pull_source, remembered
from pipeline.settings import Settings


def fetch_sources(names: Sequence[str], window: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Pull these sources, one after the other, and return a report of each; a dead one fails alone."""
    s = settings()
    declared = {source.name: source for source in catalogue(s)}
    if unknown := [name for name in names if name not in declared]:
        raise Misconfigured(f"no source is called {', '.join(unknown)}; declared are {', '.join(declared)}")
    span = None if window is None else (datetime.fromisoformat(window[0]), datetime.fromisoformat(window[1]))
    with ExitStack() as stack:
        looking = stack.enter_context(browser(s))
        fetcher = stack.enter_context(closing(http_fetcher(s)))
        files = DirectoryStore(s.sources.parent)
        writers = {name: stack.enter_context(_sole_writer(s, name)) for name in names}
        states = remembered(looking)
        return [
            msgspec.to_builtins(_pull(declared[name], states.get(name), fetcher, files, span, writers[name]))
            for name in names
        ]


@contextmanager
def _sole_writer(s: Settings, source: str) -> Iterator[KafkaWriter]:
    """Yield the writer of a source, after fencing who pulled it before: what he still had on its way will never be.

    Only then may one ask what is remembered of the source: two pulls at once double nothing.
    """
    with closing(KafkaWriter(kafka(s), f"{flow.group('fetch')}.{source}")) as writer:
        writer.write([])
        yield writer


def _pull(source: Source, state: Any, fetcher: Any, files: Any, span: Any, writer: KafkaWriter) -> SourceReport:
    polite = fetcher.behaving(delay=source.delay_seconds, allow_private=source.allow_private)
    reading = partial(pull, fetcher=polite, files=files, now=SystemClock().now(), window=span)
    return pull_source(source, state, pull=reading, writer=writer, clock=SystemClock())


def http_fetcher(s: Settings) -> HttpFetcher:
    return HttpFetcher(
        SystemClock(),
        user_agent=s.user_agent,
        timeout=s.fetch_timeout,
        max_bytes=s.max_body_bytes,
        delay=s.fetch_delay,
        allow_private=s.allow_private,
        trusted=frozenset({urlsplit(s.feed_url).netloc}),
    )


def source_table() -> list[dict[str, Any]]:
    """Return the declared sources with what is remembered of each, and when the next night is due."""
    s = settings()
    declared = catalogue(s)
    due = next_night(s)
    with browser(s) as looking:
        states = remembered(looking)
    out = []
    for source in declared:
        state = states.get(source.name)
        out.append(
            {
                "name": source.name,
                "kind": source.kind,
                "location": source.url or source.path,
                "last_success": state.succeeded_at.isoformat() if state and state.succeeded_at else None,
                "last_try": state.fetched_at.isoformat() if state else None,
                "next_due": due,
                "error": state.error if state else None,
            }
        )
    return out
