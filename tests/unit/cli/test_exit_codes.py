"""Every way in which a command ends has a number of its own, the trainer's where both name it."""

import re
from pathlib import Path

from trivium.api.failure_classes import FailureClass
from trivium.cli.exit_codes import ExitCode
from trivium.cli.failure_codes import exit_code_of
from trivium_trainer.failure import EXIT_CODES, STOPPED_EXIT_CODE


def test_every_failure_class_has_a_distinct_code() -> None:
    codes = [exit_code_of(failure_class) for failure_class in FailureClass]
    assert len(set(codes)) == len(FailureClass)
    assert not set(codes) & {0, ExitCode.UNEXPECTED, ExitCode.USAGE, ExitCode.INVALID, ExitCode.NOT_FOUND}


def test_the_codes_are_the_trainers() -> None:
    assert {name.value: exit_code_of(name.value) for name in EXIT_CODES} == {k.value: v for k, v in EXIT_CODES.items()}
    assert ExitCode.SUSPENDED == STOPPED_EXIT_CODE


def test_a_class_of_a_newer_version_is_an_internal_failure() -> None:
    assert exit_code_of("SomethingNew") == ExitCode.INTERNAL


def test_the_reference_page_names_every_code() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "exit-codes.md"
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {code.name: code.value for code in ExitCode}
