"""Mutation testing of the pure core: `make mutate`. Changes domain/ and planning/ a little, thousands of times, and
counts how many of the changes a test notices.

mutmut wants sources below `src/` and runs inside a copy, so a workspace is laid out beside the checkout's own files
(`.mutation/`, ignored by git). What it learned stays there: a second run repeats only the code that changed, and with
`--survivors` what survived, after tests were added. survivors.md argues what still does.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUTATED = ("trivium/domain", "trivium/planning")
TESTS = ("tests/unit/domain", "tests/unit/planning", "tests/unit/reconcile")
"""Not the simulation: its histories notice much of what these miss, at a hundred times their cost."""
BESIDE = ("benchmarks", "crds", "docs", "examples")
"""What these tests read."""
GOAL = 0.9
_KILLED = {"killed", "timeout", "suspicious", "segfault", "caught by type check"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these modules, e.g. trivium.domain.restart")
    parser.add_argument("--workspace", type=Path, default=ROOT / ".mutation")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="mutants tried at once")
    parser.add_argument("--survivors", action="store_true", help="only what survived last time: tests were added since")
    options = parser.parse_args(arguments)
    patterns = [f"{name}.*" for name in options.names]
    if options.survivors:
        last = read_verdicts(mutmut(options.workspace, "results", "--all", "true", capture=True))
        patterns = [mutant for mutant, verdict in last.items() if verdict not in _KILLED]
    lay_out(options.workspace)
    mutmut(options.workspace, "run", f"--max-children={options.children}", *patterns)
    verdicts = read_verdicts(mutmut(options.workspace, "results", "--all", "true", capture=True))
    if options.names:
        verdicts = {mutant: verdict for mutant, verdict in verdicts.items() if module_of(mutant) in options.names}
    print(table(verdicts))
    print(*(f"survived: {mutant}" for mutant, verdict in verdicts.items() if verdict not in _KILLED), sep="\n")
    sys.exit(0 if share_killed(verdicts.values()) >= GOAL else 1)


def lay_out(workspace: Path) -> None:
    """Copy what the tests of the pure core need; files that did not change keep their times, so mutmut skips them."""
    for package in ("operator/src/trivium", "trainer_image/src/trivium_trainer"):
        _sync(ROOT / package, workspace / "src" / Path(package).name)
    for place in (*TESTS, *BESIDE, "tests/conftest.py"):
        _sync(ROOT / place, workspace / place)
    (workspace / "setup.cfg").write_text(_mutmut_settings())
    (workspace / "pytest.ini").write_text(_pytest_settings())


def _sync(source: Path, target: Path) -> None:
    """A folder or a file."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for path in [path for path in target.rglob("*") if path.is_file() and path.relative_to(target) not in wanted]:
        path.unlink()
    for name in sorted(wanted):
        old, new = target / name, source / name
        if not old.exists() or old.read_bytes() != new.read_bytes():
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)


def _mutmut_settings() -> str:
    sections = {
        "source_paths": ["src"],
        "only_mutate": [f"src/{folder}/*" for folder in MUTATED],
        "also_copy": [*BESIDE, "pytest.ini"],
        "pytest_add_cli_args": ["-m", "not slow", "-p", "no:xdist"],
        "pytest_add_cli_args_test_selection": list(TESTS),
    }
    lines = [f"{name}=\n" + "\n".join(f"    {value}" for value in values) for name, values in sections.items()]
    return "[mutmut]\n" + "\n".join(lines) + "\n"


def _pytest_settings() -> str:
    """The repository's, as the copy has no pyproject.toml of ours: mutmut would read that one instead of setup.cfg."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    lines = [
        f"{name} = " + ("\n    " + "\n    ".join(value) if isinstance(value, list) else str(value))
        for name, value in settings.items()
        if name not in {"testpaths", "minversion"}
    ]
    return "[pytest]\n" + "\n".join(lines) + "\n"


def mutmut(workspace: Path, *arguments: str, capture: bool = False) -> str:
    """Run it inside the workspace. Exits with its message if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], cwd=workspace, check=False, text=True, capture_output=capture
    )
    if done.returncode != 0:
        sys.exit(f"mutmut {arguments[0]} ended with {done.returncode}\n{done.stdout or ''}{done.stderr or ''}")
    return done.stdout or ""


def read_verdicts(output: str) -> dict[str, str]:
    """{"trivium.domain.restart.x_judge_restart__mutmut_7": "killed", ...} from `mutmut results --all true`."""
    return dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+?)\s*$", output, flags=re.MULTILINE))


def module_of(mutant: str) -> str:
    """trivium.domain.restart of trivium.domain.restart.x_judge_restart__mutmut_7."""
    return mutant.rpartition(".")[0]


def share_killed(verdicts: Iterable[str]) -> float:
    """Of all mutants, those that a test noticed; one that no test reaches has survived."""
    every = list(verdicts)
    return sum(verdict in _KILLED for verdict in every) / max(1, len(every))


def table(verdicts: Mapping[str, str]) -> str:
    """A row a module, the worst first."""
    killed, every = Counter[str](), Counter[str]()
    for mutant, verdict in verdicts.items():
        every[module_of(mutant)] += 1
        killed[module_of(mutant)] += verdict in _KILLED
    rows = sorted(every, key=lambda module: killed[module] / every[module])
    lines = [
        f"{module:45} {killed[module]:5} of {every[module]:5} {killed[module] / every[module]:6.1%}" for module in rows
    ]
    return "\n".join(
        [*lines, f"{'all':45} {killed.total():5} of {every.total():5} {share_killed(verdicts.values()):6.1%}"]
    )


if __name__ == "__main__":
    main()
