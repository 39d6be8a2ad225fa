"""The page as a file: well-formed, self-contained, small, safe, and complete in what it shows.

Covered: one job, a chain, running, failed, restarted, diverged, empty. How it looks is judged by eye, in a browser.
"""

import base64
import hashlib
import itertools
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from trivium_trainer.report import ReportTooLargeError, render_report
from trivium_trainer.report.page import MAX_BYTES
from trivium_trainer.report.samples import MAX_PROMPTS
from trivium_trainer.report_data import StepLine

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "</title></script></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'` onload=alert(3) {{ 7*7 }} ]]> --> &lt;"


class Tree(HTMLParser):
    """Elements with their attributes; fails on a tag that is closed but was not open."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.text = [], [], []
        self.raw = {"script": [], "style": []}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is given twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)
        else:
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    def values(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="module")
def page(chain):
    return Tree(render_report(chain))


def test_a_chain_shows_each_job_and_its_figures_before_and_after(page):
    assert "All 3 jobs of this chain are complete." in page.words
    for want in (
        "docs-base",
        "docs-chat",
        "docs-short",
        "4,447 → 60.3",
        "Held-out preference accuracy",
        "ended by itself",
    ):
        assert want in page.words


def test_a_chain_puts_the_three_models_side_by_side(page):
    assert "base after docs-base 0 % end by themselves" in page.words
    assert "tuned after docs-chat" in page.words
    assert "preferred, by rule after docs-short" in page.words
    assert page.words.index("Seen in training") < page.words.index("Held out: never trained on")


def test_derived_preferences_are_named_as_derived(page):
    assert (
        "Derived. The preferences of this job are derived: a fixed rule chose between two texts, not a person."
        in page.words
    )


def test_every_id_is_unique_and_every_reference_resolves(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 10
    wanted = [reference.removeprefix("#") for reference in page.values("href")]
    wanted += [name for names in page.values("aria-labelledby") for name in names.split()]
    assert wanted
    assert set(wanted) <= set(ids)


def test_every_drawing_has_words_for_those_who_do_not_see_it(page):
    drawings = [attrs for tag, attrs in page.elements if tag == "svg" and "aria-hidden" not in attrs]
    assert len(drawings) > 15
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in drawings)


def test_headings_never_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_table_headers_say_what_they_head(page):
    headers = [attrs for tag, attrs in page.elements if tag == "th"]
    assert headers
    assert all(attrs.get("scope") in ("col", "row") for attrs in headers)


def test_the_page_loads_nothing_from_anywhere(page):
    assert page.values("src") == page.values("srcset") == page.values("action") == page.values("data") == []
    assert all(reference.startswith("#") for reference in page.values("href"))
    assert not {tag for tag, _ in page.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "image",
        "use",
    }
    assert not re.search(r"url\(|@import|@font-face", "".join(page.raw["style"]))
    assert not re.search(r"fetch|XMLHttpRequest|import|WebSocket|innerHTML|eval", "".join(page.raw["script"]))


def test_the_content_security_policy_admits_exactly_our_style_and_our_script(page):
    policy = next(
        attrs["content"] for _, attrs in page.elements if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    for name, directive in (("style", "style-src"), ("script", "script-src")):
        digest = base64.b64encode(hashlib.sha256("".join(page.raw[name]).encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert page.values("style") == []


@pytest.mark.parametrize("index", [0, 1, 2])
def test_text_of_users_and_models_stays_text_wherever_it_stands(tmp_path, jobs, index):
    tame = Tree(render_report([jobs[index].of("tame-derived").write(tmp_path / "tame")]))
    job = jobs[index].of(HOSTILE)
    wild = Tree(render_report([job.write(tmp_path / "wild")]))
    assert [tag for tag, _ in wild.elements if tag != "span"] != []
    assert {tag for tag, _ in wild.elements} <= {tag for tag, _ in tame.elements}
    assert {name for _, attrs in wild.elements for name in attrs} <= {
        name for _, attrs in tame.elements for name in attrs
    }
    assert wild.raw == tame.raw
    assert wild.words.count(" ".join(HOSTILE.split())) >= 10


def test_hostile_text_in_a_failure_message_stays_text(tmp_path, jobs):
    page = Tree(render_report([jobs[0].of(HOSTILE).diverging(at=50).write(tmp_path)]))
    assert f"Diverged / LossIsNaN: {' '.join(HOSTILE.split())}" in page.words
    assert len(page.raw["script"]) == 1
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_three_jobs_of_two_thousand_steps_stay_below_two_megabytes(tmp_path, jobs):
    html = render_report([job.long(steps=2000).write(tmp_path) for job in jobs])
    assert 100_000 < len(html.encode()) < MAX_BYTES / 2


def test_curves_are_thinned_to_six_hundred_points(tmp_path, jobs):
    page = Tree(render_report([jobs[0].long(steps=2000).write(tmp_path)]))
    lengths = [len(points.split()) for points in page.values("points")]
    assert max(lengths) == 600


def test_a_page_that_cannot_be_small_is_refused_with_the_way_out(tmp_path, jobs):
    huge = jobs[0].long(steps=10).of("x" * 60_000).write(tmp_path)
    with pytest.raises(ReportTooLargeError, match="Render fewer jobs at a time"):
        render_report([huge] * 3)


def test_the_same_files_give_the_same_bytes(chain):
    assert render_report(chain) == render_report(chain)


def test_one_job_compares_its_own_model_before_and_after(tmp_path, jobs):
    words = Tree(render_report([jobs[1].write(tmp_path)])).words
    assert "One job: complete." in words
    assert "before the model this job started from" in words
    assert "tuned after docs-chat" in words


def test_a_running_job_says_so_and_shows_what_there_is(tmp_path, jobs):
    words = Tree(render_report([jobs[1].running(at=150).write(tmp_path)])).words
    assert "in progress" in words
    assert "150 of 420 steps" in words
    assert "No end is recorded: still running, or cut off after the last line." in words


def test_a_failed_job_shows_class_reason_message_and_remedy(tmp_path, jobs):
    words = Tree(render_report([jobs[0].diverging(at=333).write(tmp_path)])).words
    assert "Diverged / LossIsNaN: The loss is NaN at step 333. Lower optimization.learningRate" in words


def test_a_restart_is_in_the_timeline_and_in_the_curves(tmp_path, jobs):
    page = Tree(render_report([jobs[1].restarted(at=300).write(tmp_path)]))
    assert "interrupted Cut off without a word" in page.words
    assert "1 to 300" in page.words
    assert "295 to 420" in page.words
    assert "restart from step 294" in page.words


def test_a_loss_that_is_no_number_is_said_and_leaves_a_gap(tmp_path, jobs):
    run = jobs[0].write(tmp_path)
    data = run / "train" / "report" / "data.jsonl"
    lines = data.read_text().splitlines()
    bad = next(index for index, line in enumerate(lines) if '"step":40,' in line and '"kind":"step"' in line)
    diverged = StepLine.model_validate_json(lines[bad]).model_copy(update={"loss": math.nan})
    lines[bad] = diverged.model_dump_json(by_alias=True)
    data.write_text("\n".join([*lines, ""]))
    html = render_report([run])
    assert "The loss was not a finite number at 1 step, first at step 40" in Tree(html).words
    assert "nan" not in " ".join(Tree(html).values("points")).lower()


def test_a_run_directory_without_anything_yields_a_page_that_says_so(tmp_path):
    run = tmp_path / "demo" / "SFTJob" / "new" / "uid-1"
    run.mkdir(parents=True)
    words = Tree(render_report([run])).words
    assert "SFTJob in namespace demo" in words
    assert "no stage has written anything yet" in words


def test_prompts_beyond_the_limit_are_counted_and_not_dropped_silently(tmp_path, jobs):
    many = {f"Question {number}?": ("Yes.", "Yes, and so on.") for number in range(MAX_PROMPTS + 5)}
    words = Tree(render_report([replace(jobs[1], prompts=many).write(tmp_path)])).words
    assert "5 further prompts not shown here" in words


def test_ticks_rise_from_left_to_right_and_from_bottom_to_top(page):
    xs = [float(attrs["x"]) for tag, attrs in page.elements if tag == "text" and attrs["class"] == "xtick"]
    drawn = [attrs for tag, attrs in page.elements if tag == "svg" and "data-x-low" in attrs]
    assert xs
    assert drawn
    for attrs in drawn:
        assert float(attrs["data-x-low"]) < float(attrs["data-x-high"])
        assert float(attrs["data-y-low"]) < float(attrs["data-y-high"])


def test_every_point_lies_inside_its_chart(page):
    places = [pair for points in page.values("points") for pair in points.split()]
    assert len(places) > 1000
    for pair in places:
        x, y = map(float, pair.split(","))
        assert math.isfinite(x)
        assert 48 <= x <= 388
        assert 12 <= y <= 202


def test_no_directory_at_all_is_an_error():
    with pytest.raises(ValueError, match="at least one run directory"):
        render_report([])


def test_a_directory_that_is_none_is_an_error_with_the_form_expected():
    with pytest.raises(FileNotFoundError, match="<runs>/<namespace>/<kind>/<name>/<uid>"):
        render_report([Path("/nowhere/at/all")])


def test_of_very_many_starts_the_newest_are_shown_and_the_others_counted(tmp_path, jobs):
    run = jobs[1].running(at=5).write(tmp_path)
    data = run / "train" / "report" / "data.jsonl"
    data.write_text(data.read_text() * 130)
    # One start of prepare and 130 of train, of which 100 are shown.
    assert "31 earlier starts not shown" in Tree(render_report([run])).words


def test_long_prompts_are_shortened(tmp_path, jobs):
    page = Tree(render_report([replace(jobs[1], prompts={"y" * 50_000: ("a", "b")}).long(steps=10).write(tmp_path)]))
    headings = [text for text in page.text if text.startswith("yyy")]
    assert headings
    assert max(map(len, headings)) < 2000


def luminance(color):
    """Source: WCAG 2.2, relative luminance."""
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_color_has_the_contrast_of_wcag_aa_in_light_and_in_dark(page):
    themes = re.findall(r":root \{(.*?)\n *\}", "".join(page.raw["style"]), flags=re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colors = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", theme))
        for ground in ("paper", "card", "wash"):
            for ink in ("ink", "soft", "one", "two", "three", "zero", "second", "good", "bad", "warn"):
                low, high = sorted((luminance(colors[ground]), luminance(colors[ink])))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, ink)


def test_a_perplexity_that_falls_far_gets_a_logarithmic_axis_and_a_flat_one_does_not(page):
    kinds = {
        attrs["aria-label"].split(".")[0]: attrs["data-y-kind"]
        for tag, attrs in page.elements
        if "data-y-kind" in attrs
    }
    assert kinds["Held-out perplexity"] == kinds["Held-out answer perplexity"] == "log"
    assert kinds["Perplexity of held-out chosen answers"] == kinds["Loss"] == "linear"
