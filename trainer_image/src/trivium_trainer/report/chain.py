"""Finds the run directories that a run came from, by its own record of its lineage."""

from pathlib import Path

from trivium_trainer.report.reading import load_run

DEPTH = 3
"""A run directory lies at <runs>/<namespace>/<kind>/<name>/<uid>: its third parent is the namespace's folder."""


def find_chain(run_directory: Path, *, upstream_run: Path | None = None) -> list[Path]:
    """The run directories of the chain that ends in `run_directory`, first to last, itself included.

    Ancestors are looked for beside this run and beside `upstream_run` (another claim), in this namespace; one that is
    not there (deleted, or on a claim not mounted here) is left out: the page still names it in the lineage.
    Raises FileNotFoundError if `run_directory` is no directory.
    """
    report = load_run(run_directory)
    homes = [run_directory.absolute(), *([upstream_run.absolute()] if upstream_run is not None else [])]
    lineage = next((stage.run.lineage for stage in reversed(report.stages) if stage.run is not None), [])
    found: list[Path] = []
    for ancestor in lineage:
        parts = [str(ancestor.get(name) or "") for name in ("kind", "name", "uid")]
        # The lineage is read from a file that a tenant can write: a part with a slash would lead out of the runs.
        if not all(part and part not in (".", "..") and Path(part).name == part for part in parts):
            continue
        candidates = (home.parents[DEPTH - 1].joinpath(*parts) for home in homes if len(home.parents) >= DEPTH)
        found.extend([path for path in candidates if path.is_dir()][:1])
    if upstream_run is not None and upstream_run.is_dir() and upstream_run.absolute() not in found:
        found.append(upstream_run.absolute())
    return [*found, run_directory]
