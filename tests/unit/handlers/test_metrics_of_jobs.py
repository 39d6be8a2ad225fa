"""Per-job gauges: what is known now, gone with the job, only from the replica that acts; and the page as a whole."""

import asyncio
import shutil
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from testcluster.programs import binary
from trivium.api.status import JobStatus
from trivium.domain.report import ProgressReport
from trivium.handlers.metrics import MetricsServer, OperatorMetrics, read_jobs
from trivium.handlers.metrics.families import ALL_FAMILIES, MAX_NAMESPACES, OTHER_NAMESPACES, PER_JOB
from trivium.handlers.metrics.reference import PAGE, reference
from trivium.ports import ObjectKey, TransientError
from trivium.store import Store

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNNING = {
    "number": 1,
    "stage": "train",
    "rayJob": "r",
    "startedAt": "2026-01-01T10:00:00Z",
    "runningAt": "2026-01-01T10:05:00Z",
    "gpus": 8,
    "lastStep": 7,
}
FAILURE = {"class": "Hang", "reason": "Stuck", "message": "It hangs."}


def job(name="a", *, spec=None, **status):
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": spec or {},
        "status": {"phase": "Running", **status},
    }


def report(**fields):
    return ProgressReport.model_validate(
        {
            "apiVersion": "progress.trivium.dev/v1alpha1",
            "jobUid": "uid-a",
            "stage": "train",
            "sequence": 3,
            "activity": "step",
            "step": 12,
            "totalSteps": 100,
            "loss": 2.5,
            "tokensPerSecond": 1000.0,
            "metrics": {"grad_norm": 0.5},
            **fields,
        }
    )


def store_of(*jobs):
    store = Store()
    for manifest in jobs:
        store.apply_event("ADDED", manifest)
    return store


def of(store):
    (figures,) = read_jobs(store)
    return {name.removeprefix("trivium_"): value for name, value in figures.values.items()}


def leader(store):
    metrics = OperatorMetrics(lambda: read_jobs(store))
    metrics.set_leader(True)
    return metrics


async def samples(metrics):
    text = (await metrics.scrape()).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_a_running_job_shows_the_newest_report_and_beside_it_its_status():
    store = store_of(
        job(
            attempts=[RUNNING],
            progress={"step": 7, "loss": 3.0, "mfu": 0.4},
            checkpoint={"step": 5, "uri": "u", "at": "2026-01-01T11:00:00Z"},
            plan={"checkpointSeconds": 900.0},
            goodput=0.8,
        )
    )
    store.put_report("uid-a", 1, report(), now=NOON)
    assert of(store) == {
        "step": 12,
        "planned_steps": 100,
        "loss": 2.5,
        "grad_norm": 0.5,
        "tokens_per_second": 1000.0,
        "mfu_ratio": 0.4,
        "stepping": 1.0,
        "last_progress_timestamp_seconds": NOON.timestamp(),
        "last_checkpoint_timestamp_seconds": NOON.timestamp() - 3600,
        "checkpoint_interval_seconds": 900.0,
        "goodput_ratio": 0.8,
        "restarts_without_progress": 0.0,
    }


def test_a_report_without_work_is_no_progress():
    store = store_of(job(attempts=[RUNNING]))
    store.put_report("uid-a", 1, report(), now=NOON)
    store.put_report("uid-a", 1, report(sequence=4), now=NOON.replace(hour=13))
    assert of(store)["last_progress_timestamp_seconds"] == NOON.timestamp()


def test_without_a_report_since_this_process_began_status_speaks():
    store = store_of(
        job(
            attempts=[RUNNING],
            progress={"step": 7, "loss": 3.0, "activity": "save", "updatedAt": "2026-01-01T11:30:00Z"},
        )
    )
    values = of(store)
    assert (values["step"], values["loss"], values["stepping"]) == (7, 3.0, 0.0)
    assert values["last_progress_timestamp_seconds"] == NOON.timestamp() - 1800
    assert "mfu_ratio" not in values


@pytest.mark.parametrize(
    ("every", "plan", "want"),
    [({"minutes": 5}, 900.0, 300.0), ({"steps": 5}, 900.0, None), ({}, 900.0, 900.0), ({}, None, None)],
)
def test_the_interval_of_checkpoints_is_the_jobs_or_else_the_plans(every, plan, want):
    spec = {"storage": {"checkpoints": {"every": every}}}
    store = store_of(job(attempts=[RUNNING], spec=spec, plan={} if plan is None else {"checkpointSeconds": plan}))
    assert of(store).get("checkpoint_interval_seconds") == want


def test_a_job_that_waits_for_quota_says_since_when_and_holds_nothing():
    waiting = {**RUNNING, "queued": True, "runningAt": None}
    (figures,) = read_jobs(store_of(job(attempts=[waiting])))
    assert figures.gpus == 0
    assert figures.values["trivium_queued_since_timestamp_seconds"] == NOON.timestamp() - 7200
    assert "trivium_starting_since_timestamp_seconds" not in figures.values


def test_a_job_that_starts_says_since_when_it_holds_machines():
    starting = {**RUNNING, "queued": True, "runningAt": None, "admittedAt": "2026-01-01T11:00:00Z"}
    (figures,) = read_jobs(store_of(job(attempts=[starting])))
    assert figures.gpus == 8
    assert figures.values["trivium_starting_since_timestamp_seconds"] == NOON.timestamp() - 3600
    assert "trivium_queued_since_timestamp_seconds" not in figures.values


def failed(number, *, first=0, last=0, failure_class="Hang"):
    failure = {**FAILURE, "class": failure_class}
    return {
        **RUNNING,
        "number": number,
        "firstStep": first,
        "lastStep": last,
        "endedAt": "2026-01-01T11:00:00Z",
        "outcome": "Failed",
        "failure": failure,
    }


@pytest.mark.parametrize(
    ("attempts", "want"),
    [
        ([failed(1), failed(2)], 2),
        ([failed(1), failed(2, last=9)], 1),
        ([failed(1, last=9), failed(2, first=9, last=9), {**RUNNING, "number": 3, "firstStep": 7}], 2),
        ([failed(1), {**RUNNING, "number": 2, "firstStep": 0}], 0),
        ([failed(1), failed(2, failure_class="Preempted")], 1),
        ([{**RUNNING, "firstStep": 7, "idleRestarts": 2}], 2),
    ],
)
def test_restarts_without_progress_are_failures_since_the_last_new_step(attempts, want):
    assert of(store_of(job(attempts=attempts)))["restarts_without_progress"] == want


async def test_the_series_of_a_job_end_with_it():
    store = store_of(job("a", attempts=[RUNNING]), job("b", attempts=[RUNNING]))
    metrics = leader(store)
    assert {s.labels["name"] for s in await samples(metrics) if "name" in s.labels} == {"a", "b"}
    store.apply_event("DELETED", job("a", attempts=[RUNNING]))
    assert {s.labels["name"] for s in await samples(metrics) if "name" in s.labels} == {"b"}
    over = {
        **job("b", attempts=[RUNNING], conditions=[{"type": "Succeeded", "status": "True"}]),
        "metadata": {**job("b")["metadata"], "resourceVersion": "2"},
    }
    store.apply_event("MODIFIED", over)
    assert not [s for s in await samples(metrics) if "name" in s.labels]


async def test_a_standby_exports_no_job_and_does_not_read_them():
    def nobody_reads():
        raise AssertionError("a standby has no jobs")

    metrics = OperatorMetrics(nobody_reads)
    found = await samples(metrics)
    assert not [s for s in found if s.name in {"trivium_jobs", "trivium_gpus_held"} or "name" in s.labels]
    assert [s.value for s in found if s.name == "trivium_leader"] == [0.0]
    metrics.set_leader(True)
    with pytest.raises(AssertionError):
        await metrics.scrape()


def populated():
    """Every family has a series."""
    store = store_of(
        job(
            "a",
            attempts=[RUNNING],
            progress={"mfu": 0.4},
            plan={"checkpointSeconds": 900.0},
            goodput=0.8,
        ),
        job("b", attempts=[{**RUNNING, "queued": True, "runningAt": None}]),
        job("c", attempts=[{**RUNNING, "runningAt": None}]),
    )
    store.put_report("uid-a", 1, report(), now=NOON)
    metrics = leader(store)
    key = ObjectKey(kind="SFTJob", namespace="team", name="a")
    for number, (old, new) in enumerate(HISTORY):
        metrics.on_pass_begin(key, waited=NOON - NOON)
        metrics.on_status(key, old=JobStatus.model_validate(old), new=JobStatus.model_validate(new))
        metrics.on_pass_end(key, took=NOON - NOON, error=TransientError() if number == 0 else None)
    metrics.on_api_request("PUT", 200)
    metrics.watch_last_event(NOON.timestamp)
    metrics.set_certificate_expiry(NOON.timestamp())
    return metrics


REFUSED = {
    "type": "Accepted",
    "status": "False",
    "reason": "InvalidSpec",
    "message": "m",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
STAGE = {"name": "train", "state": "Running", "plan": {"workers": 1}}
ENDED = {"endedAt": "2026-01-01T12:00:00Z", "outcome": "Failed", "failure": FAILURE}
SECOND = {**RUNNING, "number": 2, "queued": True, "runningAt": None, "startedAt": "2026-01-01T12:00:00Z"}
HISTORY = [
    ({}, {"conditions": [REFUSED], "phase": "Waiting"}),
    (
        {"stage": "train", "attempts": [RUNNING], "startedAt": "2026-01-01T10:00:00Z"},
        {
            "stage": "train",
            "attempts": [RUNNING],
            "startedAt": "2026-01-01T10:00:00Z",
            "progress": {"step": 1, "updatedAt": "2026-01-01T10:10:00Z"},
        },
    ),
    (
        {"attempts": [RUNNING], "progress": {"step": 1, "updatedAt": "2026-01-01T11:58:00Z"}},
        {
            "attempts": [{**RUNNING, **ENDED}],
            "gpuSeconds": 100.0,
            "cost": 2.0,
            "seconds": {"step": 60.0, "save": 5.0},
        },
    ),
    (
        {"attempts": [{**RUNNING, **ENDED}, SECOND]},
        {
            "attempts": [
                {**RUNNING, **ENDED},
                {**SECOND, "admittedAt": "2026-01-01T12:01:00Z", "runningAt": "2026-01-01T12:02:00Z", "restarts": 1},
            ],
            "stages": [{**STAGE, "checkpoint": {"step": 5, "uri": "u", "at": "2026-01-01T12:05:00Z", "kept": [5]}}],
        },
    ),
    (
        {"stages": [STAGE]},
        {"stages": [{**STAGE, "plan": {"workers": 1, "outcome": {"seconds": 9.0, "saveSeconds": 2.0}}}]},
    ),
]


async def test_a_populated_page_shows_every_family_and_promtool_has_nothing_to_say(tmp_path):
    page = await populated().scrape()
    found = {family.name for family in text_string_to_metric_families(page.decode())}
    assert {family.name.removesuffix("_total") for family in ALL_FAMILIES} <= found
    checked = await asyncio.to_thread(
        subprocess.run,
        [shutil.which("promtool") or binary("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


async def test_no_label_holds_what_grows_without_end():
    page = await samples(populated())
    ours = [sample for sample in page if sample.name.startswith("trivium_")]
    labels = {label for sample in ours for label in sample.labels}
    assert labels == {
        "namespace", "kind", "name", "phase", "to", "reason", "stage", "outcome", "cause", "error", "verb", "code",
        "version", "le",
    }  # fmt: skip
    per_job = {family.name for family in PER_JOB}
    assert {sample.name for sample in ours if "name" in sample.labels} == per_job
    assert not [value for sample in ours for value in sample.labels.values() if "uid" in value]


async def test_namespaces_beyond_the_bound_count_together():
    metrics = OperatorMetrics(tuple)
    old, new = JobStatus(), JobStatus(gpu_seconds=1.0)
    for number in range(MAX_NAMESPACES + 5):
        metrics.on_status(ObjectKey(kind="SFTJob", namespace=f"n{number}", name="a"), old=old, new=new)
    seconds = {s.labels["namespace"]: s.value for s in await samples(metrics) if s.name == "trivium_gpu_seconds_total"}
    assert len(seconds) == MAX_NAMESPACES + 1
    assert seconds[OTHER_NAMESPACES] == 5.0


async def test_a_counter_is_there_before_its_first_event_so_that_an_increase_is_seen():
    metrics = OperatorMetrics(tuple)
    diverged = {"kind": "SFTJob", "stage": "train", "outcome": "Diverged"}
    found = [s for s in await samples(metrics) if s.name == "trivium_attempts_ended_total"]
    assert [s.value for s in found if s.labels == diverged] == [0.0]
    key = ObjectKey(kind="SFTJob", namespace="team", name="a")
    metrics.on_status(key, old=JobStatus(), new=JobStatus(message="first"))
    found = {(s.name, s.labels.get("cause")): s.value for s in await samples(metrics) if "namespace" in s.labels}
    assert found["trivium_gpu_seconds_total", None] == 0.0
    assert found["trivium_badput_seconds_total", "wasted"] == 0.0


async def test_a_bug_and_an_error_of_the_cluster_count_apart():
    metrics = OperatorMetrics(tuple)
    key = ObjectKey(kind="SFTJob", namespace="team", name="a")
    for error in (TransientError("x"), KeyError("y"), None):
        metrics.on_pass_end(key, took=NOON - NOON, error=error)
    errors = {s.labels["error"]: s.value for s in await samples(metrics) if s.name == "trivium_reconcile_errors_total"}
    assert errors == {"TransientError": 1.0, "Bug": 1.0}


async def test_the_server_serves_the_page():
    server = MetricsServer(populated(), port=0)
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/metrics"
        with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert b"trivium_step{" in answer.read()
    finally:
        await server.stop()


def test_the_reference_page_is_up_to_date():
    assert (ROOT / PAGE).read_text() == reference(), "run `make generate`"
