"""`make demo` whole: real data, three jobs, the figures that it promises. About eight minutes on two cores."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-stages"
TWO_MEGABYTES = 2 * 1024 * 1024


def demo(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLE / "demo.py", "--state", state, "--check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_keeps_its_promises_and_says_so_when_run_again(tmp_path: Path) -> None:
    first = demo(tmp_path)
    # --check fails where a target is missed; the goals leave room: see the measured column of the table it prints.
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("met") >= 8
    assert "Questions held out" in first.stdout

    reports = sorted(tmp_path.glob("claims/default/runs/default/*/*/*/train/report/report.html"))
    assert len(reports) == 3
    assert all(report.stat().st_size < TWO_MEGABYTES for report in reports)

    again = demo(tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "is over already" in again.stdout
