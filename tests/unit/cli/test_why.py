"""`why`: one row per cause, each a job's surroundings as an API server shows them, and the one answer that is wanted.

Left out on purpose: what only a real server can show (rights, missing kinds, clocks); tests/cluster/kubectl/ has it.
"""

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from trivium.cli.why.cause import Cause
from trivium.cli.why.chain import find_cause
from trivium.cli.why.facts import Facts, Seen, WebhookSeen
from trivium.cli.why.show import as_json, print_answer
from trivium.cli.why.webhooks import judges_of_ray_jobs

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNREADABLE, NOT_SERVED, NONE = Seen(readable=False), Seen(served=False), Seen()


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(5)}


def job(
    *, generation: int = 1, created: float = 600, spec: dict | None = None, meta: dict | None = None, **status: Any
):
    metadata = {
        "name": "chat",
        "namespace": "team",
        "uid": "u-1",
        "generation": generation,
        "creationTimestamp": ago(created),
        **(meta or {}),
    }
    return {
        "kind": "SFTJob",
        "metadata": metadata,
        "spec": {"model": {}, **(spec or {})},
        **({"status": {"observedGeneration": 1, **status}} if status else {}),
    }


def attempt(*, started: float = 300, **more: Any) -> dict[str, Any]:
    return {"number": 2, "run": 2, "stage": "train", "rayJob": "chat-2", "startedAt": ago(started), **more}


def living(*, started: float = 300, **more: Any) -> dict[str, Any]:
    return job(phase="Starting", stage="train", message="It starts.", attempts=[attempt(started=started, **more)])


QUEUED = {"queued": True, "queue": "gpus"}


def lease(*, renewed: float | None = 3, holder: str = "pod-1") -> Seen:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
    return one({"renewTime": ago(renewed)} | spec if renewed is not None else spec, name="trivium-operator")


def one(spec: dict[str, Any], *, name: str) -> Seen:
    return Seen(objects=({"metadata": {"name": name, "namespace": "trivium"}, "spec": spec},))


def ray_job(*, suspend: bool = False, created: float = 300, meta: dict | None = None, **status: Any) -> Seen:
    metadata = {"name": "chat-2", "namespace": "team", "uid": "r-1", "creationTimestamp": ago(created), **(meta or {})}
    return Seen(objects=({"kind": "RayJob", "metadata": metadata, "spec": {"suspend": suspend}, "status": status},))


def workload(*conditions: dict[str, str], active: bool = True, checks: tuple[dict[str, str], ...] = ()) -> Seen:
    status = {"conditions": list(conditions), "admissionChecks": list(checks)}
    return Seen(objects=({"metadata": {"name": "rayjob-chat-2-ab"}, "spec": {"active": active}, "status": status},))


def local_queue(*conditions: dict[str, str]) -> Seen:
    return Seen(objects=({"metadata": {"name": "gpus"}, "status": {"conditions": list(conditions)}},))


def pod(name: str = "chat-2-x-head-aaaaa", *, role: str | None = "head", gates: tuple[str, ...] = (), **status: Any):
    labels = {} if role is None else {"ray.io/node-type": role}
    spec = {"containers": [{"name": "ray"}], "schedulingGates": [{"name": gate} for gate in gates]}
    return {"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}


def pods(*found: dict[str, Any]) -> Seen:
    return Seen(objects=found)


def waits(reason: str, message: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "ray", "state": {"waiting": {"reason": reason, "message": message}}}]}


def unschedulable(message: str) -> dict[str, Any]:
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    }


def warning(kind: str, name: str, reason: str, message: str) -> Seen:
    return Seen(objects=({"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message},))


@dataclass(frozen=True, kw_only=True)
class Row:
    """`facts` differ from a job whose surroundings are well in what is named."""

    want: str
    who: str
    says: str
    command: str = ""
    job: dict[str, Any]
    around: dict[str, Any] = field(default_factory=dict)


RESERVED = condition("QuotaReserved", "True", "QuotaReserved")
INITIALIZING = ray_job(jobDeploymentStatus="Initializing")
RUNNING = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}

ROWS = (
    Row(want="Succeeded", who="nobody", says="done", command="trivium report sft/chat", job=job(phase="Succeeded")),
    Row(
        want="Failed",
        who="you",
        says="DataError, NoRows: nothing to train on",
        command="kubectl trivium logs sft/chat -n team",
        job=job(
            phase="Failed",
            attempts=[
                attempt(
                    endedAt=ago(1),
                    failure={
                        "class": "DataError",
                        "reason": "NoRows",
                        "message": "nothing to train on",
                        "remedy": "Add.",
                    },
                )
            ],
        ),
    ),
    Row(
        want="Deleting",
        who="nobody",
        says="being deleted.",
        job=job(phase="Running", meta={"deletionTimestamp": ago(9)}),
    ),
    Row(
        want="Deleting",
        who="platform",
        says="held/by-me holds it",
        job=job(phase="Running", meta={"deletionTimestamp": ago(9), "finalizers": ["held/by-me"]}),
    ),
    Row(
        want="Running",
        who="nobody",
        says="step 30/90; it last reported 20s ago",
        command="trivium logs -f sft/chat",
        job=job(
            phase="Running",
            message="Attempt 2 is training.",
            conditions=[condition("Running", "True", "Training")],
            progress={"step": 30, "totalSteps": 90, "updatedAt": ago(20)},
            attempts=[attempt()],
        ),
    ),
    Row(
        want="OperatorAbsent",
        who="platform",
        says="trivium/trivium-operator was not renewed for 10m",
        command="kubectl get pods -l app.kubernetes.io/name=trivium -n trivium",
        job=living(),
        around={"leases": lease(renewed=600)},
    ),
    Row(
        want="OperatorAbsent",
        who="platform",
        says="was not renewed ever",
        job=job(created=60),
        around={"leases": lease(renewed=None, holder="")},
    ),
    Row(
        want="OperatorAbsent",
        who="platform",
        says="was not renewed for 100s",
        job=job(phase="Running", conditions=[condition("Running", "True", "Training")]),
        around={"leases": lease(renewed=100)},
    ),
    Row(want="OperatorSilent", who="platform", says="has not looked at this job yet", job=job()),
    Row(
        want="OperatorSilent",
        who="platform",
        says="You may not read its Lease",
        command="get leases -A",
        job=job(),
        around={"leases": UNREADABLE},
    ),
    Row(
        want="OperatorSilent",
        who="platform",
        says="this change of the spec",
        job=job(generation=2, phase="Pending"),
    ),
    Row(want="OperatorNotInstalled", who="platform", says="no Lease", job=job(), around={"leases": NONE}),
    Row(want="Pending", who="nobody", says="about to look", job=job(created=2), around={"leases": UNREADABLE}),
    Row(
        want="InvalidSpec",
        who="you",
        says="spec.data: is empty",
        command="trivium validate FILE",
        job=job(phase="Pending", conditions=[condition("Accepted", "False", "InvalidSpec", "spec.data: is empty")]),
    ),
    Row(
        want="Suspended",
        who="you",
        says="spec.runPolicy.suspend is true",
        command="kubectl trivium resume sft/chat -n team",
        job=job(phase="Suspended", spec={"runPolicy": {"suspend": True}}),
    ),
    Row(
        want="Suspending",
        who="nobody",
        says="was told to save",
        job=job(
            phase="Suspending",
            spec={"runPolicy": {"suspend": True}},
            attempts=[attempt()],
            conditions=[condition("Suspended", "False", "Checkpointing", "Attempt 2 was told to save and stop.")],
        ),
    ),
    Row(
        want="UpstreamNotFound",
        who="you",
        says="does not exist",
        command="kubectl get trivium -n team",
        job=job(
            phase="Waiting",
            conditions=[condition("UpstreamReady", "False", "UpstreamNotFound", "PretrainJob base does not exist.")],
        ),
    ),
    Row(
        want="UpstreamNotFinished",
        who="nobody",
        says="waits for pretrain/base, which is Queued: no room",
        command="kubectl trivium why pretrain/base -n team",
        job=job(phase="Waiting", conditions=[condition("UpstreamReady", "False", "UpstreamNotFinished", "Waits.")]),
        around={
            "upstream": Seen(
                objects=(
                    {
                        "kind": "PretrainJob",
                        "metadata": {"name": "base", "namespace": "team"},
                        "status": {"phase": "Queued", "message": "no room"},
                    },
                )
            )
        },
    ),
    Row(
        want="UpstreamFailed",
        who="you",
        says="PretrainJob base failed",
        job=job(
            phase="Waiting",
            conditions=[condition("UpstreamReady", "False", "UpstreamFailed", "PretrainJob base failed.")],
        ),
    ),
    Row(
        want="NoDefaultProfile",
        who="you",
        says="no profile is the default",
        command="kubectl get computeprofiles -o wide",
        job=job(
            phase="Pending", conditions=[condition("Planned", "False", "NoDefaultProfile", "no profile is the default")]
        ),
        around={"profiles": one({}, name="h100")},
    ),
    Row(
        want="ProfileNotFound",
        who="platform",
        says="there is no h200",
        job=job(phase="Pending", conditions=[condition("Planned", "False", "ProfileNotFound", "there is no h200")]),
        around={"profiles": NONE},
    ),
    Row(
        want="DoesNotFit",
        who="you",
        says="needs 90 GiB",
        command="kubectl edit sftjob chat -n team",
        job=job(phase="Pending", conditions=[condition("Planned", "False", "DoesNotFit", "needs 90 GiB")]),
    ),
    Row(
        want="BackingOff",
        who="nobody",
        says="The next attempt begins at noon. The last attempt: Infrastructure, NoLastWord.",
        job=job(
            phase="Restarting",
            conditions=[condition("Restarting", "True", "BackingOff", "The next attempt begins at noon.")],
            attempts=[attempt(endedAt=ago(3), failure={"class": "Infrastructure", "reason": "NoLastWord"})],
        ),
    ),
    Row(
        want="KubeRayNotInstalled",
        who="platform",
        says="does not know RayJobs",
        command="kubectl get crd rayjobs.ray.io",
        job=living(),
        around={"ray_job": NOT_SERVED},
    ),
    Row(
        want="WebhookDown",
        who="platform",
        says="the webhook mrayjob.kb.io must agree, and its Service kueue-system/kueue-webhook-service has no ready pod",
        command="kubectl get endpointslices -l kubernetes.io/service-name=kueue-webhook-service -n kueue-system",
        job=living(),
        around={
            "ray_job": NONE,
            "webhooks": (
                WebhookSeen(name="other", service="a/b", ready=True),
                WebhookSeen(name="mrayjob.kb.io", service="kueue-system/kueue-webhook-service", ready=False),
            ),
        },
    ),
    Row(
        want="RayJobNotCreated",
        who="platform",
        says="The RayJob chat-2 of attempt 2 is not there after 5m",
        job=living(),
        around={"ray_job": NONE},
    ),
    Row(want="Starting", who="nobody", says="is starting for 10s", job=living(started=10), around={"ray_job": NONE}),
    Row(
        want="NameTaken",
        who="you",
        says="Another object has the name chat-2",
        job=job(phase="Starting", attempts=[attempt()], conditions=[condition("Running", "False", "NameTaken")]),
        around={"ray_job": NONE},
    ),
    Row(
        want="KueueAbsent",
        who="platform",
        says="The cluster has no Kueue",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True), "workload": NOT_SERVED, "local_queue": NOT_SERVED},
    ),
    Row(
        want="KueueAbsent",
        who="platform",
        says="has made no Workload",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True), "local_queue": local_queue()},
    ),
    Row(
        want="QuotaPending",
        who="nobody",
        says="Kueue has not looked at it yet",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True, created=5), "local_queue": local_queue()},
    ),
    Row(
        want="QueueMissing",
        who="platform",
        says="There is no LocalQueue gpus in namespace team",
        command="kubectl get localqueues -n team",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True), "local_queue": NONE},
    ),
    Row(
        want="QuotaPending",
        who="nobody",
        says="insufficient unused quota for nvidia.com/gpu in flavor h100, 8 more needed",
        command="kubectl describe workload rayjob-chat-2-ab -n team",
        job=living(**QUEUED),
        around={
            "ray_job": ray_job(suspend=True),
            "local_queue": local_queue(),
            "workload": workload(
                condition(
                    "QuotaReserved",
                    "False",
                    "Pending",
                    "insufficient unused quota for nvidia.com/gpu in flavor h100, 8 more needed",
                )
            ),
        },
    ),
    Row(
        want="ExceedsMaxQuota",
        who="you",
        says="requests more than the nominal quota",
        job=living(**QUEUED),
        around={
            "ray_job": ray_job(suspend=True),
            "local_queue": local_queue(),
            "workload": workload(
                condition("QuotaReserved", "False", "ExceedsMaxQuota", "requests more than the nominal quota")
            ),
        },
    ),
    Row(
        want="QueueStopped",
        who="you",
        says="the queue is not active: stopped for maintenance",
        job=living(**QUEUED),
        around={
            "ray_job": ray_job(suspend=True),
            "local_queue": local_queue(condition("Active", "False", "Stopped", "stopped for maintenance")),
            "workload": workload(condition("QuotaReserved", "False", "Inadmissible", "LocalQueue is stopped")),
        },
    ),
    Row(
        want="WorkloadInactive",
        who="platform",
        says="was deactivated",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True), "workload": workload(active=False), "local_queue": local_queue()},
    ),
    Row(
        want="QueueGaveUp",
        who="platform",
        says="FailedToStart. conflict for key pool",
        job=living(**QUEUED),
        around={
            "ray_job": ray_job(suspend=True),
            "workload": workload(condition("Finished", "True", "FailedToStart", "conflict for key pool")),
            "local_queue": local_queue(),
        },
    ),
    Row(
        want="AdmissionChecks",
        who="platform",
        says="provisioning: Pending: nodes are ordered",
        job=living(**QUEUED),
        around={
            "ray_job": ray_job(suspend=True),
            "local_queue": local_queue(),
            "workload": workload(
                RESERVED, checks=({"name": "provisioning", "state": "Pending", "message": "nodes are ordered"},)
            ),
        },
    ),
    Row(
        want="QuotaPending",
        who="nobody",
        says="You may not read Workloads",
        job=living(**QUEUED),
        around={"ray_job": ray_job(suspend=True), "workload": UNREADABLE, "local_queue": UNREADABLE},
    ),
    Row(
        want="KueueAbsent",
        who="platform",
        says="and nothing admits it",
        job=job(
            phase="Queued",
            attempts=[attempt(**QUEUED)],
            conditions=[condition("QuotaReserved", "False", "NoWorkload", "It waits, and nothing admits it.")],
        ),
        around={"ray_job": ray_job(suspend=True), "workload": UNREADABLE, "local_queue": UNREADABLE},
    ),
    Row(
        want="RayJobInvalid",
        who="platform",
        says="KubeRay refuses the RayJob: name too long",
        job=living(),
        around={"ray_job": ray_job(jobDeploymentStatus="ValidationFailed", message="name too long")},
    ),
    Row(
        want="RayJobSuspended",
        who="you",
        says="neither a queue nor this job's runPolicy asked for that",
        job=living(),
        around={"ray_job": ray_job(suspend=True, jobDeploymentStatus="Suspended")},
    ),
    Row(
        want="RayJobDeleting",
        who="platform",
        says="is being deleted for 5m (ray.io/rayjob-finalizer)",
        job=living(),
        around={"ray_job": ray_job(meta={"deletionTimestamp": ago(300), "finalizers": ["ray.io/rayjob-finalizer"]})},
    ),
    Row(
        want="KubeRayAbsent",
        who="platform",
        says="KubeRay has not touched the RayJob chat-2",
        command="kubectl get pods -A -l app.kubernetes.io/name=kuberay-operator",
        job=living(),
        around={"ray_job": ray_job()},
    ),
    Row(
        want="KubeRayAbsent",
        who="platform",
        says="KubeRay has made no pod for the RayJob chat-2",
        job=living(),
        around={"ray_job": INITIALIZING},
    ),
    Row(
        want="PodsRefused",
        who="platform",
        says="FailedToCreateHeadPod: exceeded quota: team",
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "warnings": warning("RayCluster", "chat-2-x", "FailedToCreateHeadPod", "exceeded quota: team"),
        },
    ),
    Row(
        want="ImagePull",
        who="platform",
        says="chat-2-x-head-aaaaa cannot pull its image: ImagePullBackOff: Back-off pulling x",
        command="kubectl describe pod chat-2-x-head-aaaaa -n team",
        job=living(),
        around={"ray_job": INITIALIZING, "pods": pods(pod(**waits("ImagePullBackOff", "Back-off pulling x")))},
    ),
    Row(
        want="PodConfiguration",
        who="you",
        says='secret "trivium-hub" not found',
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "pods": pods(pod(**waits("CreateContainerConfigError", 'secret "trivium-hub" not found'))),
        },
    ),
    Row(
        want="Volume",
        who="you",
        says="volume is already used by another node",
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "pods": pods(pod(phase="Pending")),
            "warnings": warning(
                "Pod", "chat-2-x-head-aaaaa", "FailedAttachVolume", "volume is already used by another node"
            ),
        },
    ),
    Row(
        want="Unschedulable",
        who="you",
        says="No node fits pod w-1 (2 of 3 pods wait): 0/4 nodes: 4 Insufficient nvidia.com/gpu",
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "pods": pods(
                pod(),
                pod("w-1", role="worker", **unschedulable("0/4 nodes: 4 Insufficient nvidia.com/gpu")),
                pod("w-2", role="worker", **unschedulable("0/4 nodes: 4 Insufficient nvidia.com/gpu")),
            ),
        },
    ),
    Row(
        want="ClaimMissing",
        who="you",
        says='persistentvolumeclaim "runs" not found',
        job=living(),
        around={"ray_job": INITIALIZING, "pods": pods(pod(**unschedulable('persistentvolumeclaim "runs" not found')))},
    ),
    Row(
        want="SchedulingGated",
        who="platform",
        says="is held back by kueue.x-k8s.io/topology",
        job=living(),
        around={"ray_job": INITIALIZING, "pods": pods(pod(gates=("kueue.x-k8s.io/topology",)))},
    ),
    Row(
        want="PodFailed",
        who="nobody",
        says="exit code 137, out of memory",
        command="kubectl trivium logs sft/chat --all-pods -n team",
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "pods": pods(
                pod(
                    containerStatuses=[
                        {"name": "ray", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                    ]
                )
            ),
        },
    ),
    Row(
        want="NoReports",
        who="platform",
        says="runs for 5m, and no report of it has reached the operator",
        job=living(),
        around={"ray_job": ray_job(startTime=ago(300), **RUNNING), "pods": pods(pod())},
    ),
    Row(
        want="Starting",
        who="nobody",
        says="is starting for 5m: 1 of 2 pods are ready",
        job=living(),
        around={
            "ray_job": INITIALIZING,
            "pods": pods(
                pod(conditions=[{"type": "Ready", "status": "True"}]), pod("w-1", role="worker", phase="Pending")
            ),
        },
    ),
)


def facts_of(row: Row) -> Facts:
    well = {"leases": lease(), "ray_job": UNREADABLE if row.around.get("ray_job") is None else NONE}
    return Facts(job=row.job, now=NOW, **{**well, **row.around})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.want}: {row.says[:40]}")
def test_the_cause_is_found_and_its_way_out_is_told(row: Row) -> None:
    cause = find_cause(facts_of(row)).cause
    assert (cause.code, cause.who) == (row.want, row.who)
    assert row.says in cause.says
    assert any(row.command in command for command in cause.commands or ("",))
    assert cause.remedy


def test_every_command_of_every_answer_leads_to_the_cluster_that_was_asked() -> None:
    asked = 0
    for row in ROWS:
        facts = replace(facts_of(row), flags=" --context far")
        for command in find_cause(facts).cause.commands:
            assert command.endswith(" --context far")
            asked += 1
    assert asked > len(ROWS)


def test_stations_before_the_answer_are_passed_and_those_after_it_not_reached() -> None:
    row = next(row for row in ROWS if row.want == "ExceedsMaxQuota")
    checks = find_cause(facts_of(row)).checks
    assert [(check.name, check.state) for check in checks] == [
        ("operator", "passed"),
        ("spec", "passed"),
        ("suspension", "passed"),
        ("upstream", "passed"),
        ("plan", "passed"),
        ("pause", "passed"),
        ("creation", "passed"),
        ("queue", "stopped"),
        ("KubeRay", "not reached"),
        ("pods", "not reached"),
        ("reports", "not reached"),
    ]


def test_before_the_first_attempt_its_stations_are_not_reached() -> None:
    row = next(row for row in ROWS if row.want == "Pending")
    checks = {check.name: check.state for check in find_cause(facts_of(row)).checks}
    assert (checks["pause"], checks["creation"], checks["reports"]) == ("passed", "not reached", "not reached")


def test_what_may_not_be_read_is_unknown_and_not_passed() -> None:
    checks = find_cause(Facts(job=living(), now=NOW, leases=lease(), ray_job=UNREADABLE, pods=UNREADABLE)).checks
    assert {check.name for check in checks if check.state == "unknown"} == {"creation", "KubeRay", "pods"}


@pytest.mark.parametrize("width", [80, 120])
def test_a_command_is_never_cut_into_lines(width: int) -> None:
    stream = io.StringIO()
    row = next(row for row in ROWS if row.want == "WebhookDown")
    facts = facts_of(row)
    print_answer(facts, find_cause(facts), console=Console(file=stream, width=width, highlight=False))
    lines = stream.getvalue().splitlines()
    assert f"  {row.command}" in lines
    assert all(len(line) <= width for line in lines if not line.startswith("  kubectl"))
    stations = [check.name for check in find_cause(facts).checks]
    marked = [name for name in stations if any(f"{mark} {name}" in line for mark in "✓✗·" for line in lines)]
    assert marked == stations


def test_tools_get_the_answer_with_stable_names() -> None:
    row = next(row for row in ROWS if row.want == "Suspended")
    told = as_json(facts_of(row), find_cause(facts_of(row)))
    assert (told["job"], told["reason"], told["turn"]) == ("sft/chat", "Suspended", "you")
    assert told["next"] == ["kubectl trivium resume sft/chat -n team"]
    assert told["checks"][2] == {"name": "suspension", "state": "stopped", "note": "Suspended"}


def test_every_answer_has_a_code_of_one_word() -> None:
    causes: list[Cause] = [find_cause(facts_of(row)).cause for row in ROWS]
    assert all(cause.code.isalpha() and cause.code[0].isupper() for cause in causes)


def webhook(name: str, *, groups: list[str], resources: list[str], policy: str = "Fail", operations: list[str]) -> dict:
    return {
        "name": name,
        "failurePolicy": policy,
        "clientConfig": {"service": {"namespace": "k", "name": "s"}},
        "rules": [{"apiGroups": groups, "resources": resources, "operations": operations}],
    }


def test_only_webhooks_that_can_stop_a_rayjob_are_looked_at() -> None:
    configuration = {
        "webhooks": [
            webhook("hit", groups=["ray.io"], resources=["rayjobs"], operations=["CREATE", "UPDATE"]),
            webhook("all", groups=["*"], resources=["*/*"], operations=["*"]),
            webhook("ignored", groups=["ray.io"], resources=["rayjobs"], operations=["CREATE"], policy="Ignore"),
            webhook("others", groups=["batch"], resources=["jobs"], operations=["CREATE"]),
            webhook("updates", groups=["ray.io"], resources=["rayjobs"], operations=["UPDATE"]),
            {"name": "outside", "clientConfig": {"url": "https://x"}, "rules": [{"apiGroups": ["*"]}]},
        ]
    }
    assert [name for name, _ in judges_of_ray_jobs([configuration])] == ["hit", "all"]
