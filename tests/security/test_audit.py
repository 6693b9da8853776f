"""`make audit` finds each thing that may be wrong with what we depend on, and says what it could not look at."""

import importlib.util
import json
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
HASH = "--hash=sha256:" + "a" * 64


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "infra" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_our_locks_are_pinned_and_hashed(audit: ModuleType) -> None:
    for name in audit.LOCKS:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert list(audit.lock_faults(text)) == []
        assert len(audit.pins(text)) > 20


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"a>=1 \\\n    {HASH}", "not pinned"),
        (f"a \\\n    {HASH}", "not pinned"),
        ("a==1", "no SHA-256"),
        ("a==1 \\\n    --hash=sha256:short", "no SHA-256"),
        ("a==1 \\\n    --hash=md5:" + "a" * 32, "no SHA-256"),
        (f"a @ https://example.org/a.whl \\\n    {HASH}", "address"),
        ("--index-url https://example.org/simple", "address"),
        ("-e .", "address or an option"),
    ],
)
def test_a_lock_that_is_not_strict_is_wrong(audit: ModuleType, line: str, told: str) -> None:
    sound = f"b==2 \\\n    {HASH} \\\n    {HASH}\n# a comment\n"
    assert list(audit.lock_faults(sound)) == []
    (fault,) = audit.lock_faults(sound + line + "\n")
    assert told in fault


def test_another_version_than_the_locked_one_is_wrong(audit: ModuleType) -> None:
    locked = audit.pins(f"A_b==2 \\\n    {HASH}\n")
    assert list(audit.drift(locked, {"a-b": "2"})) == []
    assert list(audit.drift(locked, {"a-b": "3"})) == ["a-b 3 is installed and 2 is locked"]
    assert list(audit.drift(locked, {"pip": "1"})) == ["a-b 2 is locked and not installed"]
    assert list(audit.drift(locked, {"a-b": "2", "c": "1"})) == ["c 1 is installed and not locked"]


@pytest.mark.parametrize("told", ["MIT", "MIT OR GPL-3.0-only", "Apache-2.0 AND MIT", "MIT License; BSD License"])
def test_a_licence_we_may_pass_on_is_right(audit: ModuleType, told: str) -> None:
    assert audit.licence_fault("a", told) is None


@pytest.mark.parametrize("told", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT; Proprietary", "", "see LICENSE"])
def test_any_other_licence_is_wrong_until_someone_allows_it(audit: ModuleType, told: str) -> None:
    assert "allow it in infra/audit.py" in audit.licence_fault("a", told)


def test_every_exception_is_still_needed(audit: ModuleType) -> None:
    names = {pin.name for name in audit.LOCKS for pin in audit.pins((ROOT / name).read_text(encoding="utf-8"))}
    assert set(audit.EXCEPTIONS) <= names
    assert all(audit.EXCEPTIONS.values())


def test_a_licence_is_read_from_wherever_it_is_told(audit: ModuleType) -> None:
    old, new = Message(), Message()
    old["Classifier"] = "License :: OSI Approved :: MIT License"
    new["License-Expression"] = "Apache-2.0"
    assert (audit.licence(old), audit.licence(new)) == ("MIT License", "Apache-2.0")


def told(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": list(packages)})


SOUND = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}


def test_a_known_vulnerability_is_wrong(audit: ModuleType) -> None:
    bug = {"id": "CVE-1", "fix_versions": ["2"]}
    faults, note = audit.advisories(told(SOUND | {"vulns": [bug]}, SKIPPED))
    assert faults == ["a 1: CVE-1, mended in 2"]
    assert note == "1 of 2 packages audited, not audited: b"


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", "{}", told(SKIPPED)])
def test_silence_of_the_advisory_database_is_not_taken_for_health(audit: ModuleType, answer: str) -> None:
    faults, note = audit.advisories(answer)
    assert faults == []
    assert note.startswith("not audited")


def test_a_withdrawn_version_is_wrong(audit: ModuleType) -> None:
    said = 'Resolved 1 package\nwarning: `a==1` is yanked (reason: "broken")\n'
    assert audit.withdrawn(said) == ['warning: `a==1` is yanked (reason: "broken")']


def test_what_is_wrong_ends_in_exit_code_1(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "look", lambda: (["a 1: CVE-1"], ["looked"]))
    assert audit.main() == 1
    assert "WRONG: a 1: CVE-1" in capsys.readouterr().out
    monkeypatch.setattr(audit, "look", lambda: ([], ["looked"]))
    assert audit.main() == 0


def test_without_a_network_nothing_fails_for_that_alone(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    faults, notes = audit._from_outside(str(ROOT / ".venv" / "bin" / "uv"), audit.LOCKS[0])
    assert faults == []
    assert any("not " in note for note in notes)
