"""`trivium plan` as a person and a tool call it: what it shows, what it refuses, how it ends."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from trivium.cli.application import application
from trivium.cli.errors import CommandError
from trivium.cli.ordering import open_store
from trivium.cli.plan_memory import bar
from trivium.local.state_folder import StateFolder, StateLock

ROOT = Path(__file__).parents[3]
LLAMA_8B = (ROOT / "tests" / "unit" / "planning" / "configs" / "llama-3-8b.json").read_text()
H100 = ROOT / "examples" / "compute-profiles" / "h100.yaml"
EXAMPLES = ROOT / "examples" / "three-stages"


def call(*arguments: str | Path, columns: int = 100):
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(application, ["plan", *map(str, arguments)])
    if isinstance(result.exception, CommandError):
        return result.exception.code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No state and no cache of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "llama-8b"
    folder.mkdir()
    (folder / "config.json").write_text(LLAMA_8B)
    return folder


@pytest.fixture
def job(tmp_path: Path):
    """job(**spec) -> file of an SFTJob."""

    def write(**spec: object) -> Path:
        whole = {
            "model": {"from": {"hub": {"repo": "meta-llama/Llama-3.1-8B"}}},
            "data": {"train": [{"from": {"hub": {"repo": "acme/chat"}}}], "maxLength": 4096},
            "optimization": {"steps": 1000, "globalBatchSize": 192},
            **spec,
        }
        manifest = {"apiVersion": "trivium.dev/v1alpha1", "kind": "SFTJob", "metadata": {"name": "bot"}, "spec": whole}
        file = tmp_path / "job.yaml"
        file.write_text(yaml.safe_dump(manifest))
        return file

    return write


def test_a_plan_shows_choices_memory_time_and_cost(job, model: Path) -> None:
    code, output = call(job(compute={"workers": 4, "minWorkers": 2}), H100, "--model", model)
    assert code == 0
    assert "SFTJob bot on profile h100: fits" in output
    assert "8,030,261,248 parameters" in output
    assert "32 GPUs: 2 to 4 workers × 8" in output
    for part in ("weights", "gradients", "optimizer", "activations", "reserve", "free"):
        assert any(line.strip().startswith(part) and "GiB" in line for line in output.splitlines()), part
    assert "for 1,000 steps" in output
    assert "GPU-hours" in output
    assert "at the profile's price" in output
    assert "each was planned" in output


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_terminal(job, model: Path, columns: int) -> None:
    machines = ("--gpus", "8xh100,16x24Gi,1x80Gi")
    for arguments in ((H100,), machines, (*machines, "--explain")):
        _, output = call(job(), *arguments, "--model", model, columns=columns)
        assert max(len(line) for line in output.splitlines()) <= columns


def test_explain_says_why_and_what_else_was_weighed(job, model: Path) -> None:
    _, plain = call(job(), H100, "--model", model)
    _, output = call(job(), H100, "--model", model, "--explain")
    assert "Why:" not in plain
    assert "the least communication that fits" in " ".join(output.split())
    assert "40% of the peak" in " ".join(output.split())
    assert "sqrt(2 · C · MTBF)" in " ".join(output.split())
    assert output.count("chosen") == 1
    assert "fits, but communicates more" in output


def test_what_does_not_fit_is_told_with_plans_that_do(job, model: Path) -> None:
    code, output = call(job(), "--gpus", "1xh100", "--model", model)
    assert code == 64
    assert "SFTJob bot on 1 × h100: does not fit" in output
    assert "training needs at least" in " ".join(output.split())
    assert "adapter: {lora: {rank: 16}}" in output


def test_machines_are_compared_in_a_table(job, model: Path) -> None:
    code, output = call(job(), "--gpus", "8xh100,1x24Gi,8x80Gi@500", "--model", model)
    assert code == 0, "one machine that will do is enough"
    rows = {line.split("  ")[0]: line for line in output.splitlines() if " × " in line[:8]}
    assert {"8 × h100", "1 × 24Gi", "8 × 80Gi"} <= rows.keys()
    assert " yes " in rows["8 × h100"]
    assert " no" in rows["1 × 24Gi"]
    assert "1 × 24Gi: spec.compute: training needs at least" in output


def test_a_peak_that_is_named_gives_a_time(job, model: Path) -> None:
    def seconds(machine: str) -> float | None:
        _, output = call(job(), "--gpus", machine, "--model", model, "-o", "json")
        return json.loads(output)[0]["machines"][0]["plan"].get("estimatedSeconds")

    assert seconds("8x80Gi") is None
    assert seconds("8x80Gi@989") == seconds("8xh100")
    assert seconds("8x80Gi@494.5") == pytest.approx(2 * seconds("8x80Gi@989"), rel=1e-3)


def test_tools_get_everything_as_json(job, model: Path) -> None:
    code, output = call(job(), "--gpus", "8xh100,1x24Gi", "--model", model, "-o", "json")
    (one,) = json.loads(output)
    assert (code, one["kind"], one["name"], one["fits"]) == (0, "SFTJob", "bot", True)
    good, bad = one["machines"]
    assert good["plan"]["memoryPerGPU"]["needed"] == sum(good["plan"]["memoryPerGPU"]["breakdown"].values())
    assert {candidate["zeroStage"] for candidate in good["candidates"]} == {1, 2, 3}
    assert bad["refusal"]["field"] == "spec.compute"
    assert bad["refusal"]["waysOut"]
    assert all(set(other) == {"change", "yaml", "plan"} for other in bad["alternatives"])


def test_an_alternatives_yaml_is_a_manifest_that_fits(job, model: Path, tmp_path: Path) -> None:
    file = job(compute={"gpusPerWorker": 1})
    _, output = call(file, H100, "--model", model, "-o", "json")
    alternatives = json.loads(output)[0]["machines"][0]["alternatives"]
    assert alternatives
    manifest = yaml.safe_load(file.read_text())
    for number, other in enumerate(alternatives):
        changed = tmp_path / f"changed-{number}.yaml"
        change = yaml.safe_load(other["yaml"])
        changed.write_text(yaml.safe_dump(_merged(manifest, change)))
        code, _ = call(changed, H100, "--model", model)
        assert code == 0, other["yaml"]


def _merged(base: dict, change: dict) -> dict:
    both = {key: _merged(base[key], value) for key, value in change.items() if isinstance(base.get(key), dict)}
    return {**base, **change, **both}


def test_a_chain_of_jobs_takes_the_model_of_the_first() -> None:
    code, output = call(EXAMPLES, "--gpus", "2xl4", "-o", "json")
    plans = {one["kind"]: one["machines"][0]["plan"] for one in json.loads(output)}
    assert code == 0
    assert {plan["parameters"] for plan in plans.values()} == {2_557_632}
    assert set(plans) == {"PretrainJob", "SFTJob", "PreferenceJob"}


def test_without_profile_and_gpus_it_is_this_machine() -> None:
    code, output = call(EXAMPLES / "pretrain.yaml")
    assert code == 0
    assert "PretrainJob base on this machine: fits" in output
    assert "no finished job of this shape is known here" in " ".join(output.split())


def test_a_config_in_the_hubs_cache_is_found(job, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--meta-llama--Llama-3.1-8B"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "config.json").write_text(LLAMA_8B)
    _, output = call(job(), H100)
    assert "8,030,261,248 parameters" in output


def test_a_hint_gives_a_lower_bound_and_nothing_more(job) -> None:
    hinted = {"model": {"from": {"hub": {"repo": "a/b"}}, "parameters": "8B"}}
    code, output = call(job(**hinted), H100)
    assert code == 0
    assert "cannot be judged yet" in output
    assert "Only the number of parameters is known" in output
    hinted["model"]["parameters"] = "405B"
    code, output = call(job(**hinted), H100)
    assert code == 64
    assert "does not fit" in output


def test_machines_that_cannot_be_judged_are_not_said_to_do(job) -> None:
    hinted = {"model": {"from": {"hub": {"repo": "a/b"}}, "parameters": "8B"}}
    code, output = call(job(**hinted), "--gpus", "8xh100,8x80Gi@500")
    assert code == 0
    rows = [line for line in output.splitlines() if line.startswith("8 × ")]
    assert len(rows) == 2
    assert all("not known" in row and "yes" not in row for row in rows)
    assert output.count("Only the number of parameters is known") == 1


def test_a_model_that_nobody_knows_is_said_with_the_way_out(job) -> None:
    code, output = call(job(), H100)
    assert code == 0
    assert "Nothing is known of the model here" in output
    assert "--model PATH" in output


MISTAKES = [
    (("--gpus", "eight"), 2, "--gpus eight: write NUMBERxMEMORY"),
    (("--gpus", "0x80Gi"), 2, "--gpus 0x80Gi"),
    (("--gpus", "8xh100,"), 2, "--gpus : write"),
    (("--model", "nowhere"), 4, "there is no nowhere"),
    (("--model", "broken.json"), 3, "is no JSON"),
    (("--model", "list.json"), 3, "holds no object"),
]


@pytest.mark.parametrize(("arguments", "want_code", "want_text"), MISTAKES)
def test_a_mistake_ends_with_its_own_code(job, arguments, want_code, want_text, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    code, text = call(job(), *arguments)
    assert code == want_code
    assert want_text in text


def test_a_profile_that_is_in_no_file_is_asked_for(job) -> None:
    code, text = call(job(compute={"profile": "h200"}), H100)
    assert code == 4
    assert "ComputeProfile h200 is in none of the files" in text


def test_an_invalid_manifest_is_not_planned(job) -> None:
    code, text = call(job(compute={"workers": 0}))
    assert code == 3
    assert "spec.compute.workers" in text


@pytest.mark.parametrize("cells", [10, 46, 60])
def test_bars_grow_with_their_share_and_never_vanish(cells: int) -> None:
    lengths = [len(bar(share / 100, cells=cells)) for share in range(101)]
    assert lengths == sorted(lengths)
    assert bar(0, cells=cells) == ""
    assert bar(1e-9, cells=cells) == "▏"
    assert bar(1.0, cells=cells) == "█" * cells == bar(1.7, cells=cells)


def test_this_machines_finished_jobs_teach_their_time(tmp_path: Path) -> None:
    manifest = yaml.safe_load((EXAMPLES / "pretrain.yaml").read_text())
    _, output = call(EXAMPLES / "pretrain.yaml", "-o", "json")
    plan = json.loads(output)[0]["machines"][0]["plan"]
    assert "estimatedSeconds" not in plan
    folder = StateFolder(tmp_path / "elsewhere")
    with StateLock(folder):
        store = open_store(folder)
        job = store.apply({**manifest, "metadata": {"name": "earlier", "namespace": "default"}}, manager="test")
        outcome = {"seconds": 280.0, "startSeconds": 12.0, "steps": plan["totalSteps"]}
        stage = {"name": "train", "state": "Succeeded", "plan": {**plan, "outcome": outcome}}
        job["status"] = {"endedAt": "2026-11-23T12:00:00Z", "stages": [stage]}
        store.replace_status(job)
    _, output = call(EXAMPLES / "pretrain.yaml", "--state", folder.root, "-o", "json")
    learned = json.loads(output)[0]["machines"][0]["plan"]
    assert learned["estimatedSeconds"] == pytest.approx(280, rel=1e-3)
    assert learned["startSeconds"] == 12.0
    assert learned["efficiencySource"].startswith("learned from 1 finished job of this shape")
    _, output = call(EXAMPLES / "pretrain.yaml", "--state", folder.root)
    assert "4m for 1,400 steps" in output
    assert "compute.workers" not in output, "this machine does not grow"
