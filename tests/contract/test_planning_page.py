"""What docs/planning.md shows and says of the planner is what the planner does."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trivium.cli.application import application
from trivium.planning.families import FAMILIES
from trivium.planning.stages import MIXTURES_AT_ZERO_3

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "planning.md").read_text()
COMMANDS = re.findall(r"```console\n\$ trivium ([^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the page shows, under the names that its commands use."""
    (tmp_path / "support-bot.yaml").write_text(re.search(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[1])
    (tmp_path / "llama-3.1-8b").mkdir()
    (tmp_path / "llama-3.1-8b" / "config.json").write_text(re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)[1])
    (tmp_path / "h100.yaml").write_text((ROOT / "examples" / "compute-profiles" / "h100.yaml").read_text())
    monkeypatch.chdir(tmp_path)


def _verdicts(output: str) -> list[str]:
    """Words that do not change with a gibibyte more or less."""
    lines = [
        line.split("  ")[0]
        for line in output.splitlines()
        if re.search(r"GPUs:|parameters|: fits|: does not fit", line)
    ]
    return lines + re.findall(r"^\d+ × \S+ +(?:yes|no)\b", output, flags=re.MULTILINE)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_of_the_page_comes_to_the_verdict_that_it_shows(command: str, shown: str) -> None:
    result = CliRunner(env={"COLUMNS": "100"}).invoke(application, shlex.split(command))
    fits = ": fits\n" in shown or re.search(r"^\d+ × \S+ +yes", shown, flags=re.MULTILINE)
    assert result.exit_code == (0 if fits else 64)
    assert _verdicts(result.output) == _verdicts(shown) != []


def test_the_page_shows_commands() -> None:
    assert len(COMMANDS) >= 3


def test_the_page_names_every_family_that_is_counted_exactly() -> None:
    listed = re.search(r"for each of these families: (.*?)\. A\s+family", PAGE, flags=re.DOTALL)[1]
    names = set(re.findall(r"[a-z][a-z0-9_]+", listed)) - {"and", "the", "mixtures", "of", "experts"}
    assert names == set(FAMILIES)


def test_the_page_names_the_mixtures_that_zero_3_is_open_to() -> None:
    listed = re.search(r"ZeRO 3 with mixtures other than (.*?),\s+`nf4`", PAGE, flags=re.DOTALL)[1]
    assert set(re.findall(r"[a-z][a-z0-9_]+", listed)) - {"and"} == MIXTURES_AT_ZERO_3
