"""Whole prepares of the three kinds of job: what comes out, by token ids, and that it comes out only once."""

import itertools
import json

import numpy as np
import pytest
from transformers import AutoTokenizer

from trivium_trainer import layout
from trivium_trainer.data.examples import IGNORED
from trivium_trainer.data.prepared import open_prepared

pytestmark = pytest.mark.slow


def trained_text(prepared, number):
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    sequence = prepared.train.sequence(number)
    return tokenizer.decode(sequence["input_ids"][sequence["labels"] != IGNORED])


def text(prepared, number):
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    return tokenizer.decode(prepared.train.sequence(number)["input_ids"])


def test_pretraining_from_scratch_trains_a_tokenizer_and_fills_rows(machine):
    documents = [f"Document number {number} counts {' '.join(map(str, range(number)))}." for number in range(60)]
    machine.write_rows("rows/a.jsonl", [{"text": one} for one in documents])
    config = machine.job("pretrain", model=machine.scratch(400), evaluation_fraction=0.2, max_length=64)
    inspection = machine.prepare(config)
    prepared = open_prepared(config)
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    assert inspection.architecture["vocab_size"] == inspection.vocabulary == len(tokenizer)
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3
    assert (prepared.eos_token_id, prepared.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert prepared.model_dir is None
    assert prepared.row_length == 64
    held_out = prepared.evaluation["held-out"]
    split = [
        tokenizer.decode(np.concatenate([one.sequence(n)["input_ids"] for n in range(len(one))]))
        for one in (prepared.train, held_out)
    ]
    parts = [one.replace(tokenizer.bos_token, "").split(tokenizer.eos_token)[:-1] for one in split]
    assert sorted(parts[0] + parts[1]) == sorted(documents)
    assert inspection.sources[0].rows == 60
    assert inspection.train_examples == len(parts[0]) < 60
    assert inspection.train_sequences == len(prepared.train)
    assert inspection.train_tokens == prepared.train.trained_tokens.sum()
    assert inspection.evaluation_sequences == {"held-out": len(held_out)}
    assert sum(inspection.length_histogram.values()) == 60
    # Llama by hand: embedding and head, then 2 layers of attention (q, o 64x64; k, v 64x32), 3 matrices 64x128, 2 norms.
    layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64
    assert inspection.parameters == 2 * len(tokenizer) * 64 + 2 * layer + 64


def test_the_same_texts_train_the_same_tokenizer(machine):
    machine.write_rows("rows/a.jsonl", [{"text": f"one two three {number}"} for number in range(50)])
    digests = {
        machine.prepare(machine.job("pretrain", uid=uid, model=machine.scratch(320))).tokenizer_digest
        for uid in ("a", "b")
    }
    assert len(digests) == 1


def test_sft_trains_the_assistant_and_its_end_token_and_nothing_else(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(30))
    config = machine.job("sft")
    machine.prepare(config)
    prepared = open_prepared(config)
    assert text(prepared, 2) == (
        "<|startoftext|><|im_start|>system\nYou add.<|im_end|>\n<|im_start|>user\nWhat is 1 plus 3?<|im_end|>\n"
        "<|im_start|>assistant\nIt is 4.<|im_end|>\n"
    )
    assert [trained_text(prepared, number) for number in range(30)] == [
        row["messages"][-1]["content"] + "<|im_end|>" for row in rows(30)
    ]
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    assert tokenizer.eos_token == "<|im_end|>"
    assert prepared.eos_token_id == tokenizer.eos_token_id != prepared.pad_token_id
    # In the vocabulary since pre-training, but never used there: LoRA must train their rows.
    assert prepared.added_token_ids == tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert prepared.inspection.added_tokens == 0
    assert prepared.model_dir == machine.root / "trivium/model/base"


def test_a_second_stage_finds_the_template_in_its_tokenizer(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(5))
    first = machine.job("sft")
    machine.prepare(first)
    for file in open_prepared(first).tokenizer_dir.iterdir():
        (machine.root / "trivium/model/base" / file.name).write_bytes(file.read_bytes())
    second = machine.job("sft", uid="uid-2")
    machine.prepare(second)
    assert open_prepared(second).added_token_ids == []
    assert text(open_prepared(second), 0) == text(open_prepared(first), 0)


@pytest.mark.parametrize(
    ("loss", "want"),
    [
        ("assistant", "It is 3.<|im_end|>Yes.<|im_end|>"),
        ("completion", "Yes.<|im_end|>"),
        (
            "all",
            (
                "<|im_start|>user\nWhat is 1 plus 2?<|im_end|>\n<|im_start|>assistant\nIt is 3.<|im_end|>\n"
                "<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
            ),
        ),
    ],
)
def test_the_loss_decides_which_turns_are_trained(machine, loss, want):
    turns = [
        ("user", "What is 1 plus 2?"),
        ("assistant", "It is 3."),
        ("user", "Sure?"),
        ("assistant", "Yes."),
    ]
    machine.write_rows("rows/a.jsonl", [{"messages": [{"role": role, "content": content} for role, content in turns]}])
    config = machine.job("sft", loss=loss)
    machine.prepare(config)
    assert trained_text(open_prepared(config), 0) == want


@pytest.mark.parametrize("loss", ["assistant", "completion", "all"])
def test_prompt_and_completion_are_plain_text_with_an_end_token(machine, loss):
    machine.write_rows("rows/a.jsonl", [{"prompt": "What is 1 plus 2? ", "completion": "It is 3."}])
    config = machine.job("sft", loss=loss)
    machine.prepare(config)
    prepared = open_prepared(config)
    assert text(prepared, 0) == "<|startoftext|>What is 1 plus 2? It is 3.<|endoftext|>"
    want = "What is 1 plus 2? It is 3." if loss == "all" else "It is 3."
    assert trained_text(prepared, 0).strip() == f"{want}<|endoftext|>"
    assert prepared.inspection.sources[0].trained_tokens == (prepared.train.sequence(0)["labels"] != IGNORED).sum()


def test_instructions_become_turns(machine):
    machine.write_rows("rows/a.jsonl", [{"instruction": "Add.", "input": "1 2", "output": "3"}])
    config = machine.job("sft")
    machine.prepare(config)
    assert text(open_prepared(config), 0) == (
        "<|startoftext|><|im_start|>user\nAdd.\n\n1 2<|im_end|>\n<|im_start|>assistant\n3<|im_end|>\n"
    )
    assert trained_text(open_prepared(config), 0) == "3<|im_end|>"


def test_text_is_trained_whole_in_sft_where_the_loss_says_so(machine):
    machine.write_rows("rows/a.jsonl", [{"text": "What is it?"}])
    config = machine.job("sft", loss="all")
    machine.prepare(config)
    assert trained_text(open_prepared(config), 0) == "What is it?<|endoftext|>"


def test_preferences_of_strings_and_of_messages(machine):
    turns = {
        "prompt": [{"role": "user", "content": "What is it?"}],
        "chosen": [{"role": "assistant", "content": "It is 1."}],
        "rejected": [{"role": "assistant", "content": "You add plus it."}],
    }
    machine.write_rows("rows/a.jsonl", [turns])
    machine.write_rows("strings/a.jsonl", [{"prompt": "What is it? ", "chosen": "It is 1.", "rejected": "You add."}])
    wants = {
        "rows": ("It is 1.<|im_end|>", "You add plus it.<|im_end|>"),
        "strings": ("It is 1.<|endoftext|>", "You add.<|endoftext|>"),
    }
    for folder, want in wants.items():
        config = machine.job("dpo", uid=folder, train=[machine.source(folder)])
        inspection = machine.prepare(config)
        prepared = open_prepared(config)
        tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
        pair = prepared.train.sequence(0)
        completions = [
            tokenizer.decode(pair[f"{side}_input_ids"][pair[f"{side}_completion_mask"] == 1]).strip()
            for side in ("chosen", "rejected")
        ]
        assert completions == list(want)
        assert not inspection.packing
        assert prepared.row_length is None
        assert inspection.train_tokens == sum(
            int(pair[f"{side}_completion_mask"].sum()) for side in ("chosen", "rejected")
        )


def test_packed_rows_hold_the_same_examples(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(60))
    alone, packed = (machine.job("sft", uid=packing, packing=packing) for packing in ("off", "on"))
    inspections = [machine.prepare(config) for config in (alone, packed)]
    assert [one.packing for one in inspections] == [False, True]
    assert [one.train_examples for one in inspections] == [60, 60]
    assert inspections[0].train_tokens == inspections[1].train_tokens
    assert inspections[1].train_sequences < 60 / 3
    single = sorted(open_prepared(alone).train.sequence(number)["input_ids"].tolist() for number in range(60))
    train, pieces = open_prepared(packed).train, []
    for number in range(len(train)):
        row = train.sequence(number)
        assert len(row["input_ids"]) <= 256
        starts = [*np.flatnonzero(row["position_ids"] == 0), len(row["input_ids"])]
        pieces += [row["input_ids"][a:b].tolist() for a, b in itertools.pairwise(starts)]
    assert sorted(pieces) == single


def test_packing_is_chosen_where_it_saves(machine, rows):
    skewed = [{"prompt": "it ", "completion": "plus " * (200 if number % 8 == 0 else 3)} for number in range(80)]
    machine.write_rows("rows/a.jsonl", skewed)
    machine.write_rows("even/a.jsonl", rows(20))
    assert machine.prepare(machine.job("sft", uid="a", max_length=512)).packing
    assert not machine.prepare(machine.job("sft", uid="b", train=[machine.source("even")], max_length=512)).packing


def test_the_same_key_is_reused_by_another_job_and_another_setting_is_not(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(20))
    first = machine.prepare(machine.job("sft", uid="a"))
    before = {path: path.stat().st_mtime_ns for path in machine.prepared.rglob("*") if path.is_file()}
    second = machine.prepare(machine.job("sft", uid="b"))
    after = {path: path.stat().st_mtime_ns for path in machine.prepared.rglob("*") if path.is_file()}
    assert second == first
    assert after == before
    others = [
        machine.job("sft", uid="c", max_length=128),
        machine.job("sft", uid="d", loss="all"),
        machine.job("sft", uid="e", packing="on"),
        machine.job("sft", uid="f", evaluation_fraction=0.5),
    ]
    assert len({first.prepared_key, *(machine.prepare(other).prepared_key for other in others)}) == 5
    machine.write_rows("rows/a.jsonl", rows(21))
    assert machine.prepare(machine.job("sft", uid="g")).prepared_key != first.prepared_key


def test_explicit_evaluation_sets_and_the_held_out_one_stand_side_by_side(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(40))
    machine.write_rows("hard/a.jsonl", rows(7))
    config = machine.job("sft", evaluation=[machine.source("hard", name="hard")], evaluation_fraction=0.3)
    inspection = machine.prepare(config)
    prepared = open_prepared(config)
    assert list(prepared.evaluation) == ["hard", "held-out"]
    assert len(prepared.evaluation["hard"]) == 7
    assert len(prepared.evaluation["held-out"]) + len(prepared.train) == 40
    assert inspection.evaluation_sequences == {"hard": 7, "held-out": 40 - len(prepared.train)}


def test_unequal_weights_repeat_a_source_and_are_counted_in(machine, rows):
    machine.write_rows("a/a.jsonl", rows(20))
    machine.write_rows("b/b.jsonl", [{"prompt": "it ", "completion": "plus"}] * 3)
    train = [machine.source("a"), machine.source("b", name="train[1]", weight=0.5)]
    config = machine.job("sft", train=train)
    inspection = machine.prepare(config)
    prepared = open_prepared(config)
    assert prepared.train.source_sizes == [20, 3]
    assert prepared.train_draws == [20, 10]
    assert inspection.train_sequences == inspection.train_examples == 30
    order = prepared.order(global_batch_size=30, seed=1)
    assert np.bincount(order.indices(0), minlength=23)[:20].tolist() == [1] * 20


def test_rows_over_the_length_are_cut_counted_and_dropped_where_nothing_is_left(machine, rows):
    long_answer = {"prompt": "it ", "completion": "plus " * 300}
    long_prompt = {"prompt": "it " * 300, "completion": "plus"}
    machine.write_rows("rows/a.jsonl", [long_answer, long_prompt, {"prompt": "it ", "completion": "plus"}])
    config = machine.job("sft", max_length=64, packing="off")
    inspection = machine.prepare(config)
    prepared = open_prepared(config)
    assert (inspection.sources[0].rows, inspection.sources[0].over_long) == (3, 2)
    assert len(prepared.train) == 2
    assert len(prepared.train.sequence(0)["input_ids"]) == 64
    assert prepared.train.sequence(0)["input_ids"][-1] != prepared.eos_token_id


def test_only_the_first_rows_are_read_where_the_job_says_so(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(10))
    machine.write_rows("rows/b.jsonl", rows(10))
    inspection = machine.prepare(machine.job("sft", train=[machine.source("rows", max_rows=13)]))
    assert (inspection.sources[0].rows, inspection.train_examples) == (13, 13)


def test_bad_records_are_skipped_counted_and_shown(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(5))
    good = (machine.root / "trivium/data/rows/a.jsonl").read_bytes()
    machine.write_bytes("rows/a.jsonl", good + b"{broken\n" + b'{"messages": []}\n' * 4 + good)
    inspection = machine.prepare(machine.job("sft", on_bad_record="skip"))
    source = inspection.sources[0]
    assert (source.rows, source.skipped, inspection.train_examples) == (15, 5, 10)
    assert len(source.first_bad_records) == 3
    assert source.first_bad_records[0].startswith("a.jsonl:6: not JSON")


def test_inputs_are_recorded_and_nothing_of_the_work_remains(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(5))
    config = machine.job("sft")
    inspection = machine.prepare(config)
    inputs = json.loads(layout.run_directory(config).stage("prepare").inputs.read_text())
    assert [file["path"] for file in inputs["train"][0]["files"]] == ["a.jsonl"]
    assert inputs["train"][0]["digest"] == inspection.sources[0].digest
    assert {file["path"] for file in inputs["model"]["files"]} >= {"config.json", "model.safetensors"}
    assert sorted(path.name for path in machine.prepared.iterdir()) == [inspection.prepared_key]
