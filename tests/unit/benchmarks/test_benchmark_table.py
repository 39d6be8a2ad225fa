"""The benchmarks' table: what is not measured says so, what is kept appears with its origin, smoke tests never do."""

import json
from dataclasses import asdict

import pytest
from benchmarks import results, table
from benchmarks.__main__ import NAMES, README, load, main
from benchmarks.comparison import Settings
from benchmarks.machine import describe_machine

MACHINE = describe_machine() | {"processor": "Test CPU", "cores": "2"}


def result_of(name, ratios, *, settings=None, **facts):
    goals = load([name])[0].GOALS
    sides = {goal.against: 1.0 for goal in goals}
    pairs = [
        {goals[0].side: {goals[0].figure: value}} | {side: {goals[0].figure: one} for side, one in sides.items()}
        for value in ratios
    ]
    return {
        "comparison": name,
        "date": "2026-01-02",
        "machine": MACHINE,
        "settings": asdict(settings or Settings()),
        "facts": facts,
        "pairs": pairs,
    }


@pytest.fixture
def readme(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    return copy


def written(readme, folder):
    main(["--write", "--results", str(folder), "--readme", str(readme)])
    return readme.read_text(encoding="utf-8")


def test_the_page_has_a_row_for_every_goal_and_says_what_is_not_measured(readme, tmp_path):
    text = written(readme, tmp_path / "nothing")
    titles = [goal.title for comparison in load(NAMES) for goal in comparison.GOALS]
    assert len(titles) == 9
    for title in titles:
        assert any(title in line and "not yet measured" in line for line in text.splitlines()), title


def test_a_kept_result_appears_with_verdict_spread_date_and_machine(readme, tmp_path):
    results.keep(result_of("pretrain", [0.95, 0.96, 0.98, 0.99, 1.0], parameters=34_087_424), tmp_path / "kept")
    text = written(readme, tmp_path / "kept")
    assert "| 0.980 | 0.950 to 1.000 (94%) | 5 | yes | 2026-01-02 |" in text
    assert "- `pretrain`: Test CPU, 2 cores" in text
    assert f"torch {MACHINE['torch']}" in text
    assert f"ray {MACHINE['ray']}; parameters 34,087,424." in text


def test_a_goal_that_the_interval_does_not_reach_is_not_passed(readme, tmp_path):
    results.keep(result_of("start", [1.3, 1.4, 1.5, 1.6, 1.7], parameters=1), tmp_path)
    assert "| 1.500 | 1.300 to 1.700 (94%) | 5 | no | 2026-01-02 |" in written(readme, tmp_path)


def test_the_result_of_a_smoke_test_never_stands_on_the_page(readme, tmp_path):
    results.keep(result_of("pretrain", [2.0], settings=Settings(pairs=1)), tmp_path)
    assert "2.000" not in written(readme, tmp_path)


def test_the_histogram_of_lengths_is_published(readme, tmp_path):
    results.keep(result_of("packing", [2.0] * 5, histogram={"32": 10, "1024": 1, "64": 20}), tmp_path)
    rows = [line.split() for line in written(readme, tmp_path).splitlines() if "█" in line]
    assert [row[:2] for row in rows] == [["32", "10"], ["64", "20"], ["1,024", "1"]]


def test_writing_twice_changes_nothing(readme, tmp_path):
    results.keep(result_of("sft", [1.1] * 5), tmp_path)
    assert written(readme, tmp_path) == written(readme, tmp_path)


def test_the_committed_page_shows_the_committed_results():
    found = {name: results.read(name, results.RESULTS) for name in NAMES}
    assert table.render(load(NAMES), found) in README.read_text(encoding="utf-8")


def test_a_comparison_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "Use one of pretrain, sft, packing, start" in capsys.readouterr().err


def test_results_are_json_that_a_reader_gets_back(tmp_path):
    result = result_of("sft", [1.0] * 5)
    path = results.keep(result, tmp_path)
    assert json.loads(path.read_text()) == result == results.read("sft", tmp_path)
