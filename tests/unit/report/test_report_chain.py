"""Finding the runs that a run came from, and the module's command line."""

from dataclasses import replace

import pytest

from trivium_trainer.layout import RunDirectory
from trivium_trainer.report import find_chain, render_report, write_report
from trivium_trainer.report.__main__ import main


def test_the_chain_is_found_beside_the_run_from_its_lineage(chain):
    assert find_chain(chain[2]) == chain
    assert find_chain(chain[1]) == chain[:2]
    assert find_chain(chain[0]) == chain[:1]


def test_an_ancestor_on_another_claim_is_found_beside_the_upstream_run(tmp_path, jobs):
    pretrain, sft, dpo = jobs
    above = [pretrain.write(tmp_path / "one"), sft.write(tmp_path / "one")]
    last = dpo.write(tmp_path / "two")
    assert find_chain(last, upstream_run=above[1]) == [*above, last]


def test_an_ancestor_that_is_gone_is_left_out(tmp_path, jobs):
    _, sft, dpo = jobs
    runs = [sft.write(tmp_path), dpo.write(tmp_path)]
    assert find_chain(runs[1]) == runs


@pytest.mark.parametrize("part", ["..", "../../secret", "/etc", ".", ""])
def test_a_lineage_cannot_lead_out_of_the_runs(tmp_path, jobs, part):
    (tmp_path / "secret").mkdir()
    job = replace(jobs[1], lineage=({"kind": part, "name": part, "uid": part},))
    run = job.write(tmp_path / "runs")
    assert find_chain(run) == [run]


def test_the_command_writes_the_page(chain, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert main([*map(str, chain), "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out == f"{out}: {out.stat().st_size:,} bytes\n"


def test_the_command_names_a_directory_that_is_none(tmp_path, capsys):
    assert main([str(tmp_path / "none"), "-o", str(tmp_path / "out.html")]) == 66
    assert "is not a run directory" in capsys.readouterr().err
    assert not (tmp_path / "out.html").exists()


def test_a_stage_writes_the_page_of_its_whole_chain_and_nothing_beside_it(tmp_path, jobs):
    pretrain, sft, _ = jobs
    above = pretrain.write(tmp_path / "one")
    run = sft.long(steps=40).write(tmp_path / "two")
    stage = RunDirectory(run).stage("train")
    assert write_report(stage, upstream_run=above) == stage.report_html
    assert stage.report_html.read_text(encoding="utf-8") == render_report([above, run])
    assert sorted(path.name for path in stage.report_html.parent.iterdir()) == ["data.jsonl", "report.html"]
