"""Faults of the chain and its manifests: each plants itself and returns what must be found, invariant and place."""

from collections.abc import Callable
from datetime import timedelta

from pipeline import flow
from pipeline.manifest import manifest_key, write_manifest
from tests.flow.broken import at, key_of, put, reword, segments
from tests.flow.line import Line

F, N, E = flow.FETCHED, flow.NORMALISED, flow.ENRICHED
STATE = flow.ARTICLE_STATE
Found = set[tuple[str, str]]


def gap(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, end=first.end - 1)
    place = at(F, 0, first.end - 1)
    return {("chain", place), ("log in chain", place), ("offsets", place)}


def overlap(line: Line) -> Found:
    first, second, *_ = segments(line)
    reword(line, first, end=first.end + 1)
    return {("chain", at(F, 0, second.start))}


def an_end_before_the_start(line: Line) -> Found:
    last = segments(line)[-1]
    reword(line, last, end=last.start)
    inside = [("offsets", at(F, 0, offset)) for offset in range(last.start, last.end)]
    told = ("chain", at(F, 0, last.start))
    return {("manifests", at(F, 0, last.start)), told, *inside}


def a_chain_longer_than_the_log(line: Line) -> Found:
    last = segments(line)[-1]
    reword(line, last, end=last.end + 7)
    return {("log in chain", at(F, 0, last.end))}


def missing_first_segment(line: Line) -> Found:
    del line.store.objects[key_of(segments(line)[0])]
    return {("chain", at(F, 0, 0)), ("log in chain", at(F, 0, 0))}


def missing_middle_segment(line: Line) -> Found:
    gone = segments(line)[1]
    del line.store.objects[key_of(gone)]
    return {("chain", at(F, 0, gone.start)), ("log in chain", at(F, 0, gone.start))}


def missing_last_segment(line: Line) -> Found:
    gone = segments(line)[-1]
    del line.store.objects[key_of(gone)]
    return {("chain", at(F, 0, gone.start))}


def missing_only_segments_of_a_partition(line: Line) -> Found:
    for gone in segments(line, partition=1):
        del line.store.objects[key_of(gone)]
    return {("chain", at(F, 1, 0))}


# Manifests


def unreadable_manifest(line: Line) -> Found:
    broken = segments(line)[1]
    put(line, key_of(broken), b'{"format": 1, "topic"')
    place = at(F, 0, broken.start)
    return {("manifests", place), ("chain", place), ("log in chain", place)}


def manifest_of_a_future_format(line: Line) -> Found:
    future = segments(line)[1]
    reword(line, future, format=2)
    place = at(F, 0, future.start)
    return {("manifests", place), ("chain", place), ("log in chain", place)}


def manifest_under_another_start(line: Line) -> Found:
    moved = segments(line)[0]
    put(line, manifest_key(F, 0, moved.start + 1), write_manifest(moved))
    return {("manifests", at(F, 0, moved.start + 1))}


def manifest_of_another_partition(line: Line) -> Found:
    last = segments(line)[-1]
    put(line, manifest_key(F, 0, last.end), write_manifest(segments(line, partition=1)[0]))
    return {("manifests", at(F, 0, last.end))}


def manifest_with_a_name_that_is_none(line: Line) -> Found:
    put(line, f"log/topic={F}/p=00000/notes.txt", b"")
    return {("manifests", f"log/topic={F}/p=00000/notes.txt")}


def manifest_of_an_unknown_topic(line: Line) -> Found:
    put(line, manifest_key("news.article.fetchde", 0, 0), write_manifest(segments(line)[0]))
    return {("manifests", manifest_key("news.article.fetchde", 0, 0))}


def another_day(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, dt="2020-02-02")
    return {("manifests", at(F, 0, first.start))}


def another_first_timestamp(line: Line) -> Found:
    first, *_ = segments(line, E)
    reword(line, first, first_timestamp=first.first_timestamp + timedelta(microseconds=1))
    return {("manifests", at(E, 0, first.start))}


def another_last_timestamp(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, last_timestamp=first.last_timestamp + timedelta(hours=1))
    return {("manifests", at(F, 0, first.start))}


FAULTS: list[Callable[[Line], Found]] = [
    gap,
    overlap,
    an_end_before_the_start,
    a_chain_longer_than_the_log,
    missing_first_segment,
    missing_middle_segment,
    missing_last_segment,
    missing_only_segments_of_a_partition,
    unreadable_manifest,
    manifest_of_a_future_format,
    manifest_under_another_start,
    manifest_of_another_partition,
    manifest_with_a_name_that_is_none,
    manifest_of_an_unknown_topic,
    another_day,
    another_first_timestamp,
    another_last_timestamp,
]
