"""A mounted machine in a temporary folder, tiny data, and the tiny model and tokenizer of the fixtures."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trivium_trainer.config import (
    Architecture,
    Data,
    DataSource,
    Dpo,
    JobIdentity,
    Model,
    RunConfig,
    Source,
    TrainTokenizer,
)
from trivium_trainer.prepare.run import run_prepare
from trivium_trainer.prepare.tokenizer import train_tokenizer

KINDS = {"pretrain": "PretrainJob", "sft": "SFTJob", "dpo": "PreferenceJob"}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@dataclass
class RecordingSession:
    """A session that remembers what it was told; the protocol of trivium_trainer.session."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    beats: list = field(default_factory=list)

    def beat(self, activity):
        self.beats.append(activity)

    def progress(self, **fields):
        pass

    def write(self, line):
        pass

    def stop_requested(self):
        return False

    def save_requested(self):
        return False


@dataclass(frozen=True)
class Machine:
    """Mount root with data and model folders; jobs are built here and prepared for real."""

    root: Path

    def write_rows(self, name, rows):
        path = self.root / "trivium/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def write_bytes(self, name, content):
        path = self.root / "trivium/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def source(self, path, *, name="train[0]", **fields):
        return DataSource(name=name, source=Source(path=f"/trivium/data/{path}"), **fields)

    def job(self, recipe, *, uid="uid-1", train=None, model=None, **data):
        data.setdefault("max_length", 256)
        return RunConfig(
            job=JobIdentity(kind=KINDS[recipe], namespace="team", name="job", uid=uid, spec_digest="d"),
            stage="prepare",
            recipe=recipe,
            runs="/trivium/runs",
            model=model or self.model(),
            data=Data(train=train or [self.source("rows")], **data),
            dpo=Dpo() if recipe == "dpo" else None,
        )

    def model(self, path="/trivium/model/base", **fields):
        return Model(source=Source(path=path), **fields)

    def scratch(self, vocab_size=600):
        return Model(architecture=Architecture(config=LLAMA), tokenizer_train=TrainTokenizer(vocab_size=vocab_size))

    def install_model(self, folder, *, name="base"):
        shutil.copytree(folder, self.root / "trivium/model" / name)

    def prepare(self, config):
        return run_prepare(config, RecordingSession())

    @property
    def prepared(self):
        return self.root / "trivium/runs/team/prepared"


@pytest.fixture
def machine(tmp_path, monkeypatch, base_model):
    monkeypatch.setenv("TRIVIUM_MOUNT_ROOT", str(tmp_path))
    made = Machine(tmp_path)
    made.install_model(base_model)
    return made


def arithmetic_rows(count=60):
    return [
        {
            "messages": [
                {"role": "system", "content": "You add."},
                {"role": "user", "content": f"What is {a} plus {b}?"},
                {"role": "assistant", "content": f"It is {a + b}."},
            ]
        }
        for a in range(1, 21)
        for b in range(1, 21)
    ][:count]


def fixture_texts():
    for row in arithmetic_rows(400):
        yield from (message["content"] for message in row["messages"])
    yield (Path(json.__file__).parent / "decoder.py").read_text()


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(fixture_texts(), TrainTokenizer(vocab_size=600))


@pytest.fixture(scope="session")
def base_model(tmp_path_factory, tokenizer):
    """A random Llama of 0.2 M parameters with a tokenizer that has no chat template."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    fields = {key: value for key, value in LLAMA.items() if key != "model_type"}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **fields)).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def rows():
    return arithmetic_rows
