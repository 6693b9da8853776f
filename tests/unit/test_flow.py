"""The table of contents is true."""

from importlib import import_module

from pipeline import codec, flow


def test_each_step_reads_what_the_one_before_it_writes() -> None:
    for before, after in zip(flow.STEPS, flow.STEPS[1:], strict=False):
        assert after.reads == before.writes


def test_each_handler_is_there() -> None:
    for step in flow.STEPS:
        module, _, name = step.handler.partition(":")
        assert callable(getattr(import_module(module), name)), step.handler


def test_topics_are_named_after_the_facts_they_hold() -> None:
    known = {kind.name for kind in codec.EVENT_TYPES}
    assert set(flow.FACTS) <= known
    assert set(flow.STATES) <= known


def test_what_is_turned_down_is_archived_too() -> None:
    assert set(flow.REJECTED) <= set(flow.ARCHIVED)
    assert {flow.rejected(topic) for topic in flow.FACTS} == set(flow.REJECTED)
