"""Puts the page together: values in, one HTML file out, with nothing to load and no foreign code to run.

Prompts, completions, names and configurations are other people's text. Three walls keep them text: jinja2 escapes
every expression, no value is ever placed inside a script or a style, and the page's own Content-Security-Policy admits
exactly our script and our style, by their hashes, and no request at all.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trivium_trainer.layout import StageDirectory
from trivium_trainer.report.cards import OUTCOME_WORDS, Card, build_card, tell_story
from trivium_trainer.report.chain import find_chain
from trivium_trainer.report.reading import load_run
from trivium_trainer.report.run_report import RunReport
from trivium_trainer.report.samples import Comparison, compare_samples
from trivium_trainer.report.sections import JobSection, build_section
from trivium_trainer.report.series import MAX_POINTS
from trivium_trainer.report.wording import mean, moment, percent, plural

MAX_BYTES = 2_000_000


class ReportTooLargeError(Exception):
    """Even the shortest form of the page is larger than MAX_BYTES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    title: str
    story: str
    as_of: str
    cards: tuple[Card, ...]
    comparison: Comparison | None
    derived: str
    sections: tuple[JobSection, ...]


def render_report(run_directories: Sequence[Path]) -> str:
    """One HTML page for a job (one run directory) or for a chain (several, first to last), of at most MAX_BYTES.

    The same files give the same bytes. Raises FileNotFoundError for a directory that is none, ValueError for an empty
    list, ReportTooLargeError if the jobs are too many for one page.
    """
    if not run_directories:
        raise ValueError("run_directories: is empty. Give at least one run directory.")
    reports = [load_run(path) for path in run_directories]
    for max_points in (MAX_POINTS, MAX_POINTS // 2, MAX_POINTS // 4, MAX_POINTS // 8):
        html = _render(_build_page(reports, max_points=max_points))
        if len(html.encode()) <= MAX_BYTES:
            return html
    raise ReportTooLargeError(
        f"{len(reports)} jobs: the report has {len(html.encode()):,} bytes, more than {MAX_BYTES:,}. "
        "Render fewer jobs at a time."
    )


def write_report(stage: StageDirectory, *, upstream_run: Path | None = None) -> Path:
    """Render the chain that ends in this stage's job to the stage's report.html; a reader never sees half a page.

    `upstream_run`: the mounted run directory of the job that this one builds on. Raises OSError, ReportTooLargeError.
    """
    html = render_report(find_chain(stage.root.parent, upstream_run=upstream_run))
    stage.report_html.parent.mkdir(parents=True, exist_ok=True)
    draft = stage.report_html.with_suffix(".draft")
    draft.write_text(html, encoding="utf-8")
    return draft.replace(stage.report_html)


def _build_page(reports: Sequence[RunReport], *, max_points: int) -> Page:
    cards = tuple(build_card(report, number) for number, report in enumerate(reports, start=1))
    sections = tuple(
        build_section(report, card, max_points=max_points) for report, card in zip(reports, cards, strict=True)
    )
    last = max((start.last_at for report in reports for _, start in report.starts()), default=None)
    return Page(
        title=" \N{RIGHTWARDS ARROW} ".join(card.name for card in cards),
        story=tell_story(reports),
        as_of=moment(last) if last is not None else "",
        cards=cards,
        comparison=compare_samples(reports),
        derived=next((section.derived for section in reversed(sections) if section.derived), ""),
        sections=sections,
    )


def _render(page: Page) -> str:
    style, script = _asset("report.css"), _asset("report.js")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    template = _environment().get_template("report.html")
    ours = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - files of this package, constant
    return template.render(page=page, policy=policy, **ours)


@cache
def _environment() -> Environment:
    loader = PackageLoader("trivium_trainer.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"percent": percent, "plural": plural, "mean": mean, "outcome_words": OUTCOME_WORDS}
    return environment


@cache
def _asset(name: str) -> str:
    return files("trivium_trainer.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A Content-Security-Policy source for an inline element with exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
