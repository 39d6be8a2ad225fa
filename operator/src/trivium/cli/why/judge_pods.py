"""Pods that do not come up, and trainers that do not report. Pure.

The evidence in a pod is read where the operator reads it (domain/pod_evidence.py).
"""

from collections.abc import Mapping
from typing import Any

from trivium.cli import figures
from trivium.cli.why.cause import Cause
from trivium.cli.why.facts import Facts
from trivium.domain.pod_evidence import PodEvidence, read_pod_evidence
from trivium.domain.ray_job_state import AttemptState, read_ray_job_state
from trivium.ports import Manifest

_VOLUME_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_REPORT_SECONDS = 120.0


def judge_pods(facts: Facts) -> Cause | None:
    """The first pod that cannot start, the head's before the workers': they wait for it."""
    if facts.attempt is None:
        return None
    pods = sorted(facts.pods.objects, key=lambda pod: (not _is_head(pod), pod["metadata"]["name"]))
    for judge in (_image, _configuration, _volume, _unschedulable, _gated, _crashed):
        for pod in pods:
            cause = judge(facts, pod, read_pod_evidence(pod))
            if cause is not None:
                return cause
    return None


def _is_head(pod: Manifest) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get("ray.io/node-type") == "head")


def _describe(facts: Facts, pod: Manifest) -> str:
    return facts.kubectl(f"describe pod {pod['metadata']['name']}")


def _image(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    if evidence.image_error is None:
        return None
    return Cause(
        code="ImagePull",
        says=f"Pod {evidence.pod} cannot pull its image: {evidence.image_error}",
        remedy="The image and its pull secret come from the ComputeProfile: ask the platform team to correct them, or "
        "to put the pull secret into this namespace. After two minutes the job fails.",
        who="platform",
        commands=(_describe(facts, pod), facts.kubectl("get computeprofiles -o wide", scoped=False)),
    )


def _configuration(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    if evidence.configuration_error is None:
        return None
    return Cause(
        code="PodConfiguration",
        says=f"Pod {evidence.pod} cannot be configured: {evidence.configuration_error}",
        remedy="Create the Secret, key or ConfigMap that is named; after two minutes the job fails.",
        who="you",
        commands=(_describe(facts, pod), facts.kubectl("get secrets,configmaps")),
    )


def _volume(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    waits = (pod.get("status") or {}).get("phase") == "Pending" and evidence.unschedulable is None
    about = [one for one in facts.warnings.objects if _regards(one, pod) and one.get("reason") in _VOLUME_EVENTS]
    if not waits or not about:
        return None
    return Cause(
        code="Volume",
        says=f"Pod {evidence.pod} cannot mount a volume: {about[-1].get('message', '')}",
        remedy="Look whether the claims and Secrets that the job names are there, bound, and not held by another node.",
        who="you",
        commands=(_describe(facts, pod), facts.kubectl("get persistentvolumeclaims")),
    )


def _regards(event: Manifest, pod: Manifest) -> bool:
    regarding: Mapping[str, Any] = event.get("involvedObject") or {}
    return regarding.get("kind") == "Pod" and regarding.get("name") == pod["metadata"]["name"]


def _unschedulable(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    if evidence.unschedulable is None:
        return None
    waiting = sum(read_pod_evidence(one).unschedulable is not None for one in facts.pods.objects)
    others = f" ({waiting} of {len(facts.pods.objects)} pods wait)" if waiting > 1 else ""
    claim = "persistentvolumeclaim" in evidence.unschedulable.lower()
    return Cause(
        code="ClaimMissing" if claim else "Unschedulable",
        says=f"No node fits pod {evidence.pod}{others}: {evidence.unschedulable}",
        remedy="Create the claim, or look why it is not bound."
        if claim
        else "It starts by itself when there is room. Fewer workers, compute.minWorkers or another profile may help; "
        "at compute.workerStartTimeoutSeconds the attempt fails and is tried again.",
        who="you",
        commands=(
            facts.kubectl("describe persistentvolumeclaims") if claim else facts.kubectl("get nodes", scoped=False),
            _describe(facts, pod),
        ),
    )


def _gated(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    gates = ", ".join(one["name"] for one in (pod["spec"].get("schedulingGates") or ()))
    if not gates:
        return None
    return Cause(
        code="SchedulingGated",
        says=f"Pod {evidence.pod} is held back by {gates}.",
        remedy="Whoever set the gate lifts it; Kueue's topology does that in moments. If not, ask the platform team.",
        who="platform",
        commands=(_describe(facts, pod),),
    )


def _crashed(facts: Facts, pod: Manifest, evidence: PodEvidence) -> Cause | None:
    if evidence.exit_code in (None, 0):
        return None
    memory = ", out of memory" if evidence.out_of_memory else ""
    return Cause(
        code="PodFailed",
        says=f"Pod {evidence.pod} ended with exit code {evidence.exit_code}{memory}.",
        remedy="The operator decides in a moment whether there is another attempt; the log says why it ended.",
        who="nobody",
        commands=(facts.kubectl(f"trivium logs {facts.address} --all-pods"), _describe(facts, pod)),
    )


def judge_reports(facts: Facts) -> Cause | None:
    """The driver runs, and nothing is heard of it."""
    attempt, ray_job = facts.attempt, facts.ray_job.first
    if attempt is None or ray_job is None or attempt.get("runningAt"):
        return None
    if read_ray_job_state(ray_job) is not AttemptState.RUNNING:
        return None
    waited = facts.seconds_since((ray_job.get("status") or {}).get("startTime"))
    if waited < _REPORT_SECONDS:
        return None
    return Cause(
        code="NoReports",
        says=f"Its trainer runs for {figures.age(waited)}, and no report of it has reached the operator.",
        remedy="The log tells why: the Service trivium-progress, its certificate or a NetworkPolicy is in the way. "
        "Training itself goes on without reports.",
        who="platform",
        commands=(
            facts.kubectl_trivium("logs"),
            facts.kubectl("get endpointslices -A -l kubernetes.io/service-name=trivium-progress", scoped=False),
        ),
    )


def judge_start(facts: Facts) -> Cause | None:
    """Nothing is wrong that could be seen: it is on its way."""
    attempt = facts.attempt
    if attempt is None:
        return None
    ready = sum(_is_ready(pod) for pod in facts.pods.objects)
    pods = f": {ready} of {len(facts.pods.objects)} pods are ready" if facts.pods.objects else ""
    age = figures.age(facts.seconds_since(attempt["startedAt"]))
    return Cause(
        code="Starting",
        says=f"Attempt {attempt['number']} of stage {attempt['stage']} is starting for {age}{pods}.",
        remedy="Nothing is in its way that could be seen.",
        who="nobody",
        commands=(facts.kubectl(f"trivium logs -f {facts.address}"),),
    )


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
