"""Every command of docs/cli.md is run, and says what stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SESSION = re.compile(r"^\$ (depeche .+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def told() -> list[tuple[str, str]]:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    return [found for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for found in SESSION.findall(block)]


@pytest.mark.parametrize(("command", "output"), told())
def test_a_command_says_what_is_documented(command: str, output: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *shlex.split(command)[1:]],
        cwd=ROOT,
        env=os.environ | {"DEPECHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout + ran.stderr == output
    assert "Traceback" not in ran.stderr


def test_the_examples_are_found() -> None:
    assert len(told()) == 5
