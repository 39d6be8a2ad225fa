"""The figures a stage is judged by, the words they are written in, and the comparison of models."""

import math
from dataclasses import replace

import pytest

from trivium_trainer.report import load_run, summarize
from trivium_trainer.report import wording as w
from trivium_trainer.report.samples import compare_samples


def test_a_summary_holds_what_the_lines_say(chain):
    pretrain, sft, dpo = summarize(chain)
    assert (pretrain.kind, pretrain.recipe, pretrain.outcome, pretrain.steps, pretrain.total_steps) == (
        "PretrainJob", "pretrain", "complete", 900, 900,
    )  # fmt: skip
    held_out = pretrain.main_held_out
    assert held_out is not None
    assert held_out.loss_before == pytest.approx(8.40)
    assert held_out.perplexity_before == pytest.approx(math.exp(8.40))
    assert held_out.first_step == 0
    assert held_out.last_step == 900
    assert pretrain.tokens == 900 * 2048
    assert sft.restarts == 1
    assert pretrain.restarts == 0
    assert sft.answers_before is not None
    assert sft.answers_before.ended_share == 0
    assert sft.answers_after is not None
    assert sft.answers_after.mean_tokens == 26
    assert dpo.preference_accuracy is not None
    assert dpo.preference_accuracy > 0.95
    assert dpo.preference_margin is not None
    assert dpo.preference_margin > 4
    assert dpo.peak_memory_bytes == 579 * 2**20


def test_what_was_not_measured_is_none_and_not_zero(tmp_path):
    run = tmp_path / "demo" / "SFTJob" / "new" / "uid"
    run.mkdir(parents=True)
    [summary] = summarize([run])
    assert summary.outcome == "not started"
    assert summary.main_held_out is summary.answers_after is summary.loss_last is summary.preference_accuracy is None


def test_the_best_held_out_loss_ignores_values_that_are_no_numbers(tmp_path, jobs):
    run = jobs[1].long(steps=40).write(tmp_path)
    data = run / "train" / "report" / "data.jsonl"
    lines = data.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if '"evaluation"' in line)
    lines[first] = lines[first].replace('"loss":5.95', '"loss":NaN')
    data.write_text("".join(lines))
    [summary] = summarize([run])
    assert summary.main_held_out is not None
    assert math.isnan(summary.main_held_out.loss_before)
    assert summary.main_held_out.best_step == 40


def columns(reports):
    comparison = compare_samples(reports)
    assert comparison is not None
    return [column.title for column in comparison.columns]


def test_a_chain_from_scratch_leaves_out_the_untrained_model(chain):
    reports = [load_run(path) for path in chain]
    assert columns(reports) == ["base", "tuned", "preferred, by rule"]
    assert columns(reports[:1]) == ["untrained", "base"]
    assert columns(reports[1:]) == ["before", "tuned", "preferred, by rule"]


def test_a_model_is_shown_by_the_next_stages_answers_where_there_are_both(chain, jobs):
    reports = [load_run(path) for path in chain]
    comparison = compare_samples(reports)
    assert comparison is not None
    base = comparison.groups[0].rows[0].cells[0]
    # PretrainJob's own prompts do not hold this question: the answer is SFTJob's sample from before its first step.
    assert base.asked
    assert not base.ended
    assert [group.title for group in comparison.groups] == [
        "Seen in training", "Held out: never trained on", "Asked of one model only",
    ]  # fmt: skip


def test_prompts_of_unknown_origin_stay_in_the_jobs_order_without_a_heading(tmp_path, jobs):
    job = replace(jobs[1], origins={})
    comparison = compare_samples([load_run(job.write(tmp_path))])
    assert comparison is not None
    [group] = comparison.groups
    assert group.title == ""
    assert [row.prompt for row in group.rows] == list(job.prompts)


def test_nothing_sampled_is_nothing_to_compare(tmp_path, jobs):
    assert compare_samples([load_run(replace(jobs[1], prompts={}).write(tmp_path))]) is None


@pytest.mark.parametrize(
    ("have", "want"),
    [
        (w.count(2_557_632), "2.56\u202fM"),
        (w.count(58_682), "58,682"),
        (w.count(7e9), "7\u202fG"),
        (w.count(None), "\u2013"),
        (w.figure(8.4), "8.400"),
        (w.figure(4233.2), "4,233"),
        (w.figure(2e-5), "2e\u22125"),
        (w.figure(0.0), "0"),
        (w.figure(float("nan")), "not finite"),
        (w.figure(-1.5), "\u22121.500"),
        (w.perplexity(59.21), "59.2"),
        (w.percent(0.86), "86\u202f%"),
        (w.percent(0.996), "99.6\u202f%"),
        (w.percent(1.0), "100\u202f%"),
        (w.duration(0.31), "0.3\u202fs"),
        (w.duration(59.9), "1\u202fmin 00\u202fs"),
        (w.duration(372), "6\u202fmin 12\u202fs"),
        (w.duration(11_100), "3\u202fh 05\u202fmin"),
        (w.duration(187_200), "2\u202fd 4\u202fh"),
        (w.size(31_000_000), "29.6\u202fMiB"),
        (w.size(2**31), "2\u202fGiB"),
        (w.size(512), "512\u202fB"),
        (w.moment(1_795_000_000), "2026-11-18 11:06:40 UTC"),
        (w.moment(1e300), "\u2013"),
        (w.change(4233, 59), "71.7-fold lower"),
        (w.change(100, 88), "12\u202f% lower"),
        (w.change(157, 180), "15\u202f% higher"),
        (w.change(3.0, 3.0), "unchanged"),
        (w.change(None, 3.0), ""),
        (w.mean(26.0), "26"),
        (w.mean(7.25), "7.2"),
        (w.plural(1, "restart"), "1 restart"),
        (w.plural(3, "restart"), "3 restarts"),
    ],
)
def test_numbers_read_as_people_write_them(have, want):
    assert have == want
