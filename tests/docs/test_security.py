"""The commands of docs/security.md are run, and say what stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SESSION = re.compile(r"^\$ (.+ )depeche (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def sessions() -> list[tuple[str, str, str]]:
    return [found for block in blocks("console") for found in SESSION.findall(block)]


def bare_environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEPECHE_")}
    return kept | {"DEPECHE_HOME": str(home)}


@pytest.mark.parametrize(("settings", "command", "output"), sessions())
def test_a_command_says_what_is_documented(settings: str, command: str, output: str, tmp_path: Path) -> None:
    given = dict(each.split("=", 1) for each in settings.split())
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *command.split()],
        cwd=ROOT,
        env=bare_environment(tmp_path) | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout + ran.stderr, ran.returncode) == (output, 2)


def test_the_settings_of_the_example_are_settings(tmp_path: Path) -> None:
    (example,) = blocks("bash")
    check = (
        'from pipeline.settings import Settings as S; s = S.from_env(); print(s.kafka_user, s.kafka_security, end=" ")'
    )
    check += "; print(s.kafka_password.get_secret_value(), s.kafka_ca_file.name)"
    ran = subprocess.run(
        ["bash", "-euc", f"{example}\n{sys.executable} -c '{check}'\nstat -c %a secrets/kafka_password"],
        cwd=tmp_path,
        env=bare_environment(tmp_path) | {"PASSWORD": "p", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["depeche-enrich", "sasl_ssl", "p", "ca.pem", "600"], ran.stderr


def test_the_loop_over_the_grants_gives_each_to_kafkas_tool(tmp_path: Path) -> None:
    (loop,) = blocks("sh")
    stand_in = tmp_path / "kafka-acls.sh"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "given"}\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-euc", loop], cwd=ROOT, env=os.environ | {"PATH": path}, check=True)
    given = (tmp_path / "given").read_text().splitlines()
    grants = (ROOT / "infra" / "kafka" / "acls.txt").read_text(encoding="utf-8").count("--add ")
    assert len(given) == grants
    assert all("--bootstrap-server kafka.example:9093" in each and "--allow-principal" in each for each in given)


def test_there_are_three_console_examples() -> None:
    assert len(sessions()) == 3
