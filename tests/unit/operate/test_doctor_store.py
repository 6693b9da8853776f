"""What the doctor says of a store that keeps its word, and of each way to break it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.adapters.memory_probes import MemoryStoreProbe
from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import Misconfigured
from pipeline.operate.doctor import Finding
from pipeline.operate.doctor_store import KEPT_PROBE, require_conditional_writes, store_findings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Careless(MemoryStore):
    """Ignores If-None-Match, and says so."""

    def create(self, key: str, data: bytes, metadata: object = None) -> bool:
        self.objects[key] = (data, {}, NOW)
        return True


class TwoFaced(MemoryStore):
    """Answers 412 and overwrites all the same."""

    def create(self, key: str, data: bytes, metadata: object = None) -> bool:
        fresh = key not in self.objects
        self.objects[key] = (data, {}, NOW)
        return fresh


class LooksFirst(MemoryStore):
    """Refuses what is there already, and lets all win who come while it looks."""

    def create(self, key: str, data: bytes, metadata: object = None) -> bool:
        if key in self.objects:
            return False
        time.sleep(0.05)
        self.objects[key] = (data, {}, NOW)
        return True


class Forgetful(MemoryStore):
    """Lists nothing of what was just written."""

    def list(self, prefix: str, after: str = ""):  # type: ignore[no-untyped-def]
        return iter(())


def found(store: MemoryStore, lies: tuple[str, ...] = (), ahead: float = 0) -> dict[str, Finding]:
    probe = MemoryStoreProbe(store, lies, NOW + timedelta(seconds=ahead))
    return {each.subject: each for each in store_findings(store, probe, now=lambda: NOW)}


def test_a_store_that_keeps_everything_has_nothing_but_good_findings_and_no_probe_left() -> None:
    store = MemoryStore()
    assert {each.level for each in found(store).values()} == {"ok"}
    assert store.objects == {}


@pytest.mark.parametrize("store", [Careless(), TwoFaced()])
def test_a_store_that_overwrites_cannot_carry_exactly_once(store: MemoryStore) -> None:
    finding = found(store)["S3 If-None-Match"]
    assert finding.level == "error"
    assert "cannot be promised" in finding.detail
    with pytest.raises(Misconfigured, match="DEPECHE_DELIVERY=at_least_once"):
        require_conditional_writes(store)
    with pytest.raises(Misconfigured):
        require_conditional_writes(store)


def test_a_store_that_looks_before_it_writes_cannot_either() -> None:
    finding = found(LooksFirst())["S3 If-None-Match"]
    assert finding.level == "error"
    assert "of 8 writers at once 8 were told that they had created one name" in finding.detail


def test_a_store_that_refuses_to_overwrite_may_carry_it() -> None:
    store = MemoryStore()
    for _ in range(3):
        require_conditional_writes(store)
    assert list(store.objects) == [KEPT_PROBE], "however often it is asked"
    assert found(store)["S3 clean-up"].level == "ok"


@pytest.mark.parametrize(
    ("lie", "subject", "words"),
    [
        ("parts", "S3 If-None-Match, in parts", "ignores If-None-Match for uploads in parts"),
        ("if_match", "S3 If-Match", "does not keep If-Match"),
        ("checksums", "S3 checksums", "takes bytes that do not fit"),
        ("sha256", "S3 checksums", "knows no SHA-256"),
        ("delete", "S3 clean-up", "may be removed"),
    ],
)
def test_each_broken_word_is_named_and_only_that(lie: str, subject: str, words: str) -> None:
    findings = found(MemoryStore(), (lie,))
    assert [s for s, each in findings.items() if each.level != "ok"] == [subject]
    assert words in findings[subject].detail


def test_a_store_that_does_not_list_what_was_written_is_an_error() -> None:
    finding = found(Forgetful())["S3 read-after-write"]
    assert (finding.level, "not listed" in finding.detail) == ("error", True)


@pytest.mark.parametrize(("ahead", "words"), [(90, "90 s ahead of"), (-3600, "3600 s behind")])
def test_a_clock_that_is_off_is_named_with_its_side(ahead: float, words: str) -> None:
    finding = found(MemoryStore(), ahead=ahead)["S3 clock"]
    assert finding.level == "warning"
    assert words in finding.detail


def test_a_store_that_is_down_is_an_error_in_each_finding() -> None:
    store = MemoryStore()
    store.down = True
    assert found(store)["S3 If-None-Match"].level == "error"
