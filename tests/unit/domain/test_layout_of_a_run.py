"""Where the files of a run lie, as addresses in the status."""

import pytest

from trivium.api.plan_status import Plan, StoragePlan
from trivium.api.status import Output
from trivium.domain.run_layout import checkpoint_uri, place, run_path, stage_output

RUN = "team/SFTJob/a/uid-a"
STORAGE = StoragePlan(claim_name="runs", path="deep/er")


@pytest.mark.parametrize(
    ("storage", "want"),
    [
        (None, "x/y"),
        (StoragePlan(claim_name="runs"), "pvc://runs/x/y"),
        (STORAGE, "pvc://runs/deep/er/x/y"),
    ],
)
def test_an_address_is_claim_root_and_path(storage, want):
    assert place(storage, "x/y") == want


@pytest.mark.parametrize(("before", "want"), [(None, RUN), ("uid-before", "team/SFTJob/a/uid-before")])
def test_a_job_that_continues_another_lies_where_that_one_did(case, before, want):
    storage = {} if before is None else {"continueFrom": before}
    assert run_path(case.with_spec(storage=storage).job) == want


def test_the_step_of_a_checkpoint_has_eight_digits(case):
    uri = checkpoint_uri(case.job, STORAGE, stage="train", step=1200)
    assert uri == f"pvc://runs/deep/er/{RUN}/train/checkpoints/step-00001200"


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("digest", [None, "sha256:1"])
def test_training_leaves_a_model_a_report_and_the_adapter_if_there_is_one(case, adapter, digest):
    if adapter:
        case.with_spec(adapter={"lora": {}})
    assert stage_output(case.job, Plan(runs=STORAGE), stage="train", digest=digest) == Output(
        uri=f"pvc://runs/deep/er/{RUN}/train/output/model",
        path=f"{RUN}/train/output/model",
        digest=digest or "",
        adapter_uri=f"pvc://runs/deep/er/{RUN}/train/output/adapter" if adapter else None,
        report_uri=f"pvc://runs/deep/er/{RUN}/train/report/report.html",
    )


def test_prepare_leaves_neither_a_model_nor_an_adapter_nor_a_report(case):
    case.with_spec(adapter={"lora": {}})
    assert stage_output(case.job, Plan(runs=STORAGE), stage="prepare", digest=None) == Output(
        uri=f"pvc://runs/deep/er/{RUN}/prepare/output", path=f"{RUN}/prepare/output"
    )
