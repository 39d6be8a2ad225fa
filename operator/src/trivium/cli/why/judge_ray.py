"""The attempt's RayJob: is it made, does KubeRay act on it? Pure.

KubeRay's states are read where the operator reads them (domain/ray_job_state.py); here only what is stuck.
"""

from collections.abc import Mapping
from typing import Any

from trivium.cli import figures
from trivium.cli.why.cause import Cause
from trivium.cli.why.facts import Facts
from trivium.domain.ray_job_state import AttemptState, read_ray_job_state
from trivium.ports import Manifest

_CREATION_SECONDS = 30.0
_KUBERAY_SECONDS = 60.0
"""KubeRay takes a RayJob up within seconds; its back-off on errors is longer, but then it has written a status."""
_OPERATOR_LABEL = "app.kubernetes.io/name=kuberay-operator"


def judge_creation(facts: Facts) -> Cause | None:
    """The operator has recorded an attempt, and its RayJob is not there."""
    attempt = facts.attempt
    if attempt is None:
        return None
    if not facts.ray_job.served:
        return Cause(
            code="KubeRayNotInstalled",
            says="The cluster does not know RayJobs: KubeRay is not installed.",
            remedy="Ask the platform team to install KubeRay 1.6 or 1.7.",
            who="platform",
            commands=(facts.kubectl("get crd rayjobs.ray.io", scoped=False),),
        )
    if facts.condition("Running").get("reason") == "NameTaken":
        return Cause(
            code="NameTaken",
            says=facts.condition("Running").get("message") or f"Another object has the name {attempt['rayJob']}.",
            remedy="Delete or rename the object that has the name.",
            who="you",
            commands=(facts.kubectl(f"get rayjob {attempt['rayJob']} -o yaml"),),
        )
    if facts.ray_job.objects or not facts.ray_job.readable:
        return None
    waited = facts.seconds_since(attempt["startedAt"])
    return _not_created(facts, attempt, waited) if waited > _CREATION_SECONDS else None


def _not_created(facts: Facts, attempt: Mapping[str, Any], waited: float) -> Cause:
    down = next((one for one in facts.webhooks if one.ready is False), None)
    said = f"The RayJob {attempt['rayJob']} of attempt {attempt['number']} is not there after {figures.age(waited)}"
    if down is not None:
        namespace, _, service = down.service.partition("/")
        return Cause(
            code="WebhookDown",
            says=f"{said}: the webhook {down.name} must agree, and its Service {down.service} has no ready pod.",
            remedy="Bring that webhook's pods up; the operator tries again by itself.",
            who="platform",
            commands=(
                facts.kubectl(f"get endpointslices -l kubernetes.io/service-name={service}", namespace=namespace),
            ),
        )
    return Cause(
        code="RayJobNotCreated",
        says=f"{said}. The operator tries again and again; a webhook, a quota or a missing right may refuse it.",
        remedy="Ask the platform team for the operator's log; it names who refuses.",
        who="platform",
        commands=(
            facts.kubectl("logs -A -l app.kubernetes.io/name=trivium --tail 50", scoped=False),
            facts.kubectl("get mutatingwebhookconfigurations,validatingwebhookconfigurations", scoped=False),
        ),
    )


def judge_ray_job(facts: Facts) -> Cause | None:
    """The RayJob is there, and nobody acts on it, or it is stuck."""
    ray_job, attempt = facts.ray_job.first, facts.attempt
    if ray_job is None or attempt is None:
        return None
    state, name = read_ray_job_state(ray_job), ray_job["metadata"]["name"]
    describe = facts.kubectl(f"describe rayjob {name}")
    if ray_job["metadata"].get("deletionTimestamp"):
        return _deleting(facts, ray_job, describe)
    if state is AttemptState.INVALID:
        return Cause(
            code="RayJobInvalid",
            says=f"KubeRay refuses the RayJob: {(ray_job.get('status') or {}).get('message', '')}",
            remedy="Report it: the operator made it.",
            who="platform",
            commands=(describe,),
        )
    if (ray_job.get("spec") or {}).get("suspend"):
        return None if attempt.get("queue") or facts.queued else _suspended_by_other(facts, name, describe)
    untouched = not ray_job.get("status")
    if untouched and facts.seconds_since(ray_job["metadata"].get("creationTimestamp")) > _KUBERAY_SECONDS:
        return _kuberay_absent(facts, f"KubeRay has not touched the RayJob {name}.", describe)
    return None


def _deleting(facts: Facts, ray_job: Manifest, describe: str) -> Cause:
    finalizers = ", ".join(ray_job["metadata"].get("finalizers") or ()) or "no finalizer"
    waited = figures.age(facts.seconds_since(ray_job["metadata"]["deletionTimestamp"]))
    return Cause(
        code="RayJobDeleting",
        says=f"The RayJob {ray_job['metadata']['name']} is being deleted for {waited} ({finalizers}).",
        remedy="If that takes minutes, KubeRay is down: it removes its own finalizer. Ask the platform team.",
        who="platform",
        commands=(describe, facts.kubectl(f"get pods -A -l {_OPERATOR_LABEL}", scoped=False)),
    )


def _suspended_by_other(facts: Facts, name: str, describe: str) -> Cause:
    return Cause(
        code="RayJobSuspended",
        says=f"The RayJob {name} is suspended, and neither a queue nor this job's runPolicy asked for that.",
        remedy="Somebody suspended the RayJob itself, which is the operator's. Suspend and resume the job instead.",
        who="you",
        commands=(describe, facts.kubectl_trivium("suspend"), facts.kubectl_trivium("resume")),
    )


def _kuberay_absent(facts: Facts, says: str, describe: str) -> Cause:
    return Cause(
        code="KubeRayAbsent",
        says=f"{says} Its operator is down, or does not watch this namespace.",
        remedy="Ask the platform team to bring KubeRay's operator up.",
        who="platform",
        commands=(facts.kubectl(f"get pods -A -l {_OPERATOR_LABEL}", scoped=False), describe),
    )


def judge_cluster(facts: Facts) -> Cause | None:
    """KubeRay acts, and no pod comes of it: somebody refuses them, and events say who."""
    ray_job, attempt = facts.ray_job.first, facts.attempt
    if ray_job is None or attempt is None or facts.pods.objects or not facts.pods.readable or facts.queued:
        return None
    if read_ray_job_state(ray_job) is not AttemptState.STARTING:
        return None
    refusal = next(
        (one for one in reversed(facts.warnings.objects) if str(one.get("reason") or "").startswith("Failed")), None
    )
    if refusal is not None:
        return Cause(
            code="PodsRefused",
            says=f"Its pods are not made: {refusal['reason']}: {refusal.get('message', '')}",
            remedy="A ResourceQuota, a LimitRange or an admission policy of the namespace refuses them: ask for less, "
            "or ask the platform team.",
            who="platform",
            commands=(
                facts.kubectl("describe resourcequota"),
                facts.kubectl("get events --field-selector type=Warning"),
            ),
        )
    if facts.seconds_since(attempt["startedAt"]) > _KUBERAY_SECONDS:
        name = ray_job["metadata"]["name"]
        return _kuberay_absent(
            facts, f"KubeRay has made no pod for the RayJob {name}.", facts.kubectl(f"describe rayjob {name}")
        )
    return None
