"""A tiny prepared run on disk, and process groups that train scenarios on it.

Spawning a rank costs seconds of imports, so one process group runs many scenarios, each with an engine of its own.
Model: facts of the measured prototypes (Llama, hidden 64, 2 layers, 4 heads, ~0.1 M parameters with this vocabulary).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

from trivium_trainer.config import RunConfig
from trivium_trainer.data import examples as examples_module
from trivium_trainer.data import prepared as prepared_module
from trivium_trainer.data.order import DataOrder
from trivium_trainer.layout import StageDirectory, run_directory
from trivium_trainer.progress import Inspection

WORKER = Path(__file__).with_name("worker.py")
GROUP_TIMEOUT_SECONDS = 420
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ARCHITECTURE = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "max_position_embeddings": 64,
}
ROW_LENGTH = 32
POISON, POISONED_STEP = 7, 7
"""A token, and the data step (from 1) whose rows hold it; see Lab._write_poisoned."""


def write_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE with ChatML's tokens; the end of a turn is not the end of a text."""
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(["What is one plus two? The sum is three."] * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<|endoftext|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_split(root: Path, folder: str, rows: list[list[list[int]]], *, trained_from: int, layout: str) -> None:
    """One shard and the index over it. rows[r] = pieces (examples of a packed row, or prompt/chosen/rejected)."""
    shard = root / "shards" / folder
    index = root / "index" / folder
    shard.mkdir(parents=True)
    index.mkdir(parents=True)
    pieces, tokens, trained, starts, counts = [], [], [], [0], []
    for row in rows:
        row_count = 0
        for piece in row:
            pieces.append((0, len(tokens), len(piece)))
            tokens += piece
            marks = [at >= trained_from for at in range(len(piece))]
            trained += marks
            row_count += sum(marks[1:])
        starts.append(len(pieces))
        counts.append(row_count if layout == "rows" else len(row[1]) + len(row[2]))
    np.save(shard / "tokens.npy", np.array(tokens, dtype=np.uint16))
    if layout == "rows":
        np.save(shard / "trained.npy", np.array(trained, dtype=np.bool_))
    np.save(index / examples_module.PIECES, np.array(pieces, dtype=np.int64))
    np.save(index / examples_module.ROW_STARTS, np.array(starts, dtype=np.int64))
    np.save(index / examples_module.ROW_TOKENS, np.array(counts, dtype=np.int32))
    np.save(index / examples_module.SOURCE_ROWS, np.array([len(rows)], dtype=np.int64))


def language_rows(rng: np.random.Generator, count: int) -> list[list[list[int]]]:
    """Packed rows of one to three examples that count upwards: quickly learned. Lengths differ, so do trained counts."""
    rows = []
    for _ in range(count):
        lengths = rng.integers(5, 11, size=int(rng.integers(1, 4)))
        rows.append(
            [
                [int((start + at) % 200 + 60) for at in range(n)]
                for n, start in zip(lengths, rng.integers(0, 200, len(lengths)), strict=True)
            ]
        )
    return rows


def preference_rows(rng: np.random.Generator, count: int) -> list[list[list[int]]]:
    """Prompts with an upward chosen and a longer, constant rejected answer."""
    rows = []
    for _ in range(count):
        start, chosen, rejected = int(rng.integers(0, 150)), int(rng.integers(3, 7)), int(rng.integers(5, 12))
        prompt = [60 + start + at for at in range(5)]
        rows.append([prompt, [65 + start + at for at in range(chosen)], [70] * rejected])
    return rows


@dataclass
class Scenario:
    """One training stage that one process group runs, and what came of it."""

    name: str
    config: RunConfig
    options: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> StageDirectory:
        return run_directory(self.config).stage("train")

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.result["lines"] if line["kind"] == kind]

    @property
    def losses(self) -> dict[int, float]:
        return {line["step"]: line["loss"] for line in self.lines("step")}


class Lab:
    """Prepared runs below one temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rng = np.random.default_rng(7)
        (root / "runs" / "ns" / "prepared").mkdir(parents=True)
        self._write_prepared("language", language_rows(self.rng, 37), language_rows(self.rng, 11), layout="rows")
        self._write_base_model()
        # The same single examples, once as packed rows of one example and once padded to the longest of a batch.
        single = [row[:1] for row in language_rows(self.rng, 37)]
        self._write_prepared("single-packed", single, single[:5], layout="rows")
        self._write_prepared("single-padded", single, single[:5], layout="rows", packing=False)
        self._write_prepared("pairs", preference_rows(self.rng, 21), preference_rows(self.rng, 7), layout="pairs")
        self._write_poisoned()

    def _write_base_model(self) -> None:
        """What adapters and preferences start from: `base="base"`."""
        torch.manual_seed(5)
        config = CONFIG_MAPPING["llama"](
            **{k: v for k, v in ARCHITECTURE.items() if k != "model_type"}, vocab_size=self.vocabulary
        )
        AutoModelForCausalLM.from_config(config).save_pretrained(self.root / "runs" / "ns" / "prepared" / "base")

    def _write_poisoned(self) -> None:
        """Data with one row, trained in data step POISONED_STEP, that makes every number NaN.

        `base="poisoned-base"` has never learned the row's first token: its embedding is NaN, and no other row has it.
        """
        rows = language_rows(self.rng, 96)
        order = DataOrder(sizes=[96], draws=[96], global_batch_size=8, seed=3)
        rows[int(order.indices(POISONED_STEP - 1)[2])][0][0] = POISON
        self._write_prepared("poisoned", rows, language_rows(self.rng, 5), layout="rows")
        torch.manual_seed(6)
        shape = {k: v for k, v in ARCHITECTURE.items() if k not in ("model_type", "tie_word_embeddings")}
        config = CONFIG_MAPPING["llama"](**shape, tie_word_embeddings=False, vocab_size=self.vocabulary)
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            model.get_input_embeddings().weight[POISON] = torch.nan
        model.save_pretrained(self.root / "runs" / "ns" / "prepared" / "poisoned-base")

    def _write_prepared(self, key: str, train: list, held_out: list, *, layout: str, packing: bool = True) -> None:
        root = self.root / "runs" / "ns" / "prepared" / key
        tokenizer = write_tokenizer(root / "tokenizer")
        write_split(root, "train", train, trained_from=0 if layout == "pairs" else 2, layout=layout)
        write_split(root, "held-out", held_out, trained_from=0 if layout == "pairs" else 2, layout=layout)
        self.vocabulary = len(tokenizer)
        entries = [
            prepared_module.ShardEntry(name=name, source=n, digests={}) for n, name in enumerate(("train", "held-out"))
        ]
        manifest = prepared_module.Manifest(
            key=key,
            layout=layout,
            packing=layout == "rows" and packing,
            max_length=ROW_LENGTH,
            shards=entries,
            evaluation=[prepared_module.SplitEntry(folder="held-out", name="held-out")],
            train_amounts=[1.0],
            train_examples=[len(train)],
            train_trained_tokens=[1],
            sources=[],
        )
        # The evaluation split's shard is number 0 of its own index here: one shard folder for each split.
        (root / "manifest.json").write_text(manifest.model_dump_json(by_alias=True))
        shift_pieces(root / "index" / "held-out", by=1)

    def scenario(
        self,
        name: str,
        *,
        run: str | None = None,
        data: str = "language",
        base: str | None = None,
        options: dict | None = None,
        **changes: Any,
    ) -> Scenario:
        """A scenario over its own run directory, or over `run`'s, which an earlier scenario has trained in."""
        config = run_config(
            name=run or name,
            root=self.root,
            recipe="dpo" if data == "pairs" else changes.pop("recipe", "sft"),
            **changes,
        )
        self._write_record(config, key=data, model=base, added=(options or {}).pop("added_token_ids", []))
        return Scenario(name, config, options or {})

    def _write_record(self, config: RunConfig, *, key: str, model: str | None, added: list[int]) -> None:
        packing = key in ("language", "single-packed", "poisoned")
        inspection = Inspection(
            architecture={},
            parameters=0,
            vocabulary=self.vocabulary,
            packing=packing,
            max_length=ROW_LENGTH,
            train_sequences=21 if key == "pairs" else 37,
            train_examples=37,
            train_tokens=1,
            prepared_key=key,
            tokenizer_digest="t",
        )
        record = prepared_module.PreparedRecord(
            key=key,
            architecture=ARCHITECTURE
            | {"tie_word_embeddings": key != "poisoned"}
            | {"vocab_size": self.vocabulary, "attention_dropout": config.plan.get("dropout", 0.0)},
            model=model,
            pad_token_id=3,
            eos_token_id=2,
            added_token_ids=added,
            inspection=inspection,
        )
        path = run_directory(config).stage("prepare").output / "prepared.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.model_dump_json(by_alias=True))

    def train(self, *scenarios: Scenario, ranks: int = 1) -> None:
        """Run the scenarios one after another in one process group; fill in their results."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            jobs = [
                {
                    "config": s.config.model_dump(mode="json", by_alias=True),
                    "options": s.options,
                    "result": f"{folder}/{n}.json",
                }
                for n, s in enumerate(scenarios)
            ]
            (Path(folder) / "jobs.json").write_text(json.dumps(jobs))
            environment = os.environ | {
                "OMP_NUM_THREADS": "1",
                "TRIVIUM_MOUNT_ROOT": "/",
                "HF_HUB_OFFLINE": "1",
                "TOKENIZERS_PARALLELISM": "false",
            }
            processes = [
                subprocess.Popen(
                    [sys.executable, str(WORKER), folder, str(rank), str(ranks)],
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                for rank in range(ranks)
            ]
            try:
                outputs = [process.communicate(timeout=GROUP_TIMEOUT_SECONDS)[0] for process in processes]
            finally:
                for process in processes:
                    process.kill()
            broken = []
            for number, scenario in enumerate(scenarios):
                path = Path(folder) / f"{number}.json"
                scenario.result = json.loads(path.read_text()) if path.exists() else {"outcome": "killed", "lines": []}
                dies = any("kill" in option for option in scenario.options)
                if scenario.result["outcome"] in ("broken", "killed") and not dies:
                    broken.append(f"{scenario.name}: {scenario.result.get('error', outputs[0][-2000:])}")
            if broken:
                raise AssertionError("\n\n".join(broken))


def shift_pieces(index: Path, *, by: int) -> None:
    """The shards of a manifest are numbered through; this split's is not the first."""
    pieces = np.load(index / examples_module.PIECES)
    pieces[:, 0] += by
    np.save(index / examples_module.PIECES, pieces)


def run_config(
    *,
    name: str,
    root: Path,
    recipe: str,
    ranks: int = 1,
    micro: int | None = None,
    zero: int = 0,
    steps: int = 8,
    batch: int = 8,
    **changes: Any,
) -> RunConfig:
    """A small full run: 8 steps of 8 sequences, one checkpoint at step 4 and one at the end."""
    micro = micro or batch // ranks
    sizes = [
        {
            "worldSize": n,
            "microBatchSize": min(micro, batch // n),
            "gradientAccumulation": batch // n // min(micro, batch // n),
        }
        for n in (1, 2)
    ]
    document: dict[str, Any] = {
        "job": {
            "kind": {"pretrain": "PretrainJob", "sft": "SFTJob", "dpo": "PreferenceJob"}[recipe],
            "namespace": "ns",
            "name": name,
            "uid": name,
            "specDigest": "d",
        },
        "stage": "train",
        "recipe": recipe,
        "runs": str(root / "runs"),
        "model": {"architecture": {"config": ARCHITECTURE}},
        "data": {"train": [{"name": "train[0]", "source": {"path": "/nowhere"}}], "maxLength": ROW_LENGTH},
        "optimization": {
            "totalSteps": steps,
            "globalBatchSize": batch,
            "learningRate": 5e-3,
            "schedule": "cosine",
            "weightDecay": 0.01,
            "seed": 3,
        },
        "parallelism": {"workers": ranks, "sizes": sizes, "zeroStage": zero},
        "checkpoints": {"everySteps": 4, "keep": 3},
        "output": {"modelCard": False},
    }
    if recipe == "dpo":
        document["dpo"] = {}
    for key, value in changes.items():
        document[key] = document.get(key, {}) | value if isinstance(value, dict) else value
    return RunConfig.model_validate(document)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))
