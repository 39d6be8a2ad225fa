"""The pod templates of an attempt: head, worker, submitter. All of them pass Pod Security Standards `restricted`."""

from collections.abc import Mapping
from typing import Any

from trivium.api.compute_profile import ComputeProfileSpec, Resources
from trivium.render import paths
from trivium.render.affinity import keep_away
from trivium.render.attempt import AttemptInput, Manifest
from trivium.render.environment import ray_environment, submitter_environment
from trivium.render.mounts import Mount, pod_volumes, ray_mounts
from trivium.render.security import container_security, pod_security

# Its shell ignores SIGTERM, it has nothing to save, and a RayJob's suspension waits until it is gone.
_SUBMITTER_GRACE_SECONDS = 5


def head_template(attempt: AttemptInput) -> Manifest:
    """Ray's head: it runs the driver, never a rank."""
    return _ray_template(attempt, container="ray-head", resources=_quantities(attempt.profile.head), gpu=False)


def worker_template(attempt: AttemptInput) -> Manifest:
    """A worker: one rank on CPU, one rank for each GPU else."""
    quantities = _quantities(attempt.profile.worker)
    gpu, network = attempt.profile.gpu, attempt.profile.network
    has_gpu = attempt.plan.gpus_per_worker > 0 and gpu is not None
    if has_gpu and gpu is not None:
        quantities[gpu.resource] = str(attempt.plan.gpus_per_worker)
        if network is not None:
            quantities[network.resource] = str(network.count)
    return _ray_template(attempt, container="ray-worker", resources=quantities, gpu=has_gpu)


def submitter_template(attempt: AttemptInput) -> Manifest:
    """The pod of KubeRay's submitter Job. Without it KubeRay renders one that `restricted` refuses.

    `command` stays empty: KubeRay fills it in. It sees no data, no credential and no token of ours.
    """
    volumes, mounts = pod_volumes((Mount(source={"emptyDir": {}}, path=paths.TEMPORARY, read_only=False),))
    container = {
        "name": "ray-job-submitter",
        "image": attempt.plan.image,
        "imagePullPolicy": "IfNotPresent",
        "env": submitter_environment(attempt.profile),
        "resources": _requests(_quantities(attempt.profile.submitter)),
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }
    return _template(attempt, container=container, volumes=volumes, grace=_SUBMITTER_GRACE_SECONDS)


def _ray_template(attempt: AttemptInput, *, container: str, resources: dict[str, str], gpu: bool) -> Manifest:
    volumes, mounts = pod_volumes(ray_mounts(attempt))
    security = attempt.profile.security_profile if gpu else "restricted"
    return _template(
        attempt,
        container={
            "name": container,
            "image": attempt.plan.image,
            "imagePullPolicy": "IfNotPresent",
            "env": ray_environment(attempt, gpu=gpu),
            "resources": _requests(resources),
            "securityContext": container_security(security),
            "volumeMounts": mounts,
        },
        volumes=volumes,
        grace=attempt.profile.termination_grace_period_seconds,
    )


def _template(attempt: AttemptInput, *, container: Manifest, volumes: list[Manifest], grace: int) -> Manifest:
    # KubeRay copies the RayJob's labels to the RayCluster, not to pods.
    return {
        "metadata": {"labels": attempt.labels},
        "spec": {
            **_placement(attempt.profile, excluded_nodes=attempt.excluded_nodes),
            # Nothing in these pods talks to the API server; the progress token is projected by itself.
            "automountServiceAccountToken": False,
            # Services of the namespace would become variables; one called `ray` would become RAY_PORT.
            "enableServiceLinks": False,
            # A container restarted in place hides why it ended; a failed pod shows it, and KubeRay makes a new one.
            "restartPolicy": "Never",
            "securityContext": pod_security(),
            "terminationGracePeriodSeconds": grace,
            "containers": [container],
            "volumes": volumes,
        },
    }


def _placement(profile: ComputeProfileSpec, *, excluded_nodes: tuple[str, ...]) -> Manifest:
    """Where pods may run, as the platform team says; what it leaves out is left out."""
    pod = profile.pod
    fields: Mapping[str, Any] = {
        "nodeSelector": dict(pod.node_selector),
        "tolerations": [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in pod.tolerations],
        "affinity": keep_away(pod.affinity, excluded_nodes),
        "runtimeClassName": pod.runtime_class_name,
        "priorityClassName": pod.priority_class_name,
        "imagePullSecrets": [{"name": name} for name in pod.image_pull_secrets],
    }
    return {name: value for name, value in fields.items() if value}


def _quantities(resources: Resources) -> dict[str, str]:
    quantities = {"cpu": str(resources.cpu), "memory": str(resources.memory)}
    if resources.ephemeral_storage is not None:
        quantities["ephemeral-storage"] = str(resources.ephemeral_storage)
    return quantities


def _requests(quantities: dict[str, str]) -> Manifest:
    # Equal, so that a pod is Guaranteed: evicted last, and what a queue counts is what is used.
    return {"requests": dict(quantities), "limits": dict(quantities)}
