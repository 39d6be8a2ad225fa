"""The RayJob of one attempt, for KubeRay 1.6 and 1.7. Created once: KubeRay ignores later edits of its cluster."""

import shlex

from trivium.render import paths
from trivium.render.attempt import AttemptInput, Manifest
from trivium.render.names import SPEC_DIGEST, queue_labels
from trivium.render.pods import head_template, submitter_template, worker_template
from trivium.render.spec_digest import spec_digest

ENTRYPOINT = ("python", "-m", "trivium_trainer", "run", "--config", paths.RUN_CONFIG_FILE)
# After the end the cluster stays this long, so that pods' exit codes and reasons can be read; then quota is free.
_TTL_SECONDS = 30
# If the head forgets the job the submitter submits it again, and the run resumes; KubeRay 1.6 needs some retries,
# because it starts the submitter before the dashboard answers.
_SUBMITTER_RETRIES = 2


def render_ray_job(attempt: AttemptInput) -> Manifest:
    """No retries, no deadlines, no autoscaling of KubeRay's: the operator decides each next attempt."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": attempt.metadata(
            labels=queue_labels(attempt.queue, attempt.priority), annotations={SPEC_DIGEST: spec_digest(attempt.job)}
        ),
        "spec": {
            # KubeRay appends it unquoted to a shell line; every word is ours, and quoted all the same.
            "entrypoint": shlex.join(ENTRYPOINT),
            "submissionMode": "K8sJobMode",
            "submitterPodTemplate": submitter_template(attempt),
            "submitterConfig": {"backoffLimit": _SUBMITTER_RETRIES},
            "backoffLimit": 0,
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": _TTL_SECONDS,
            # Born suspended, so that it waits also where Kueue's webhook is away or its RayJob integration is off.
            "suspend": attempt.queue != "",
            "rayClusterSpec": _ray_cluster(attempt),
        },
    }


def _ray_cluster(attempt: AttemptInput) -> Manifest:
    workers = attempt.plan.workers
    return {
        "rayVersion": attempt.plan.ray_version,
        "enableInTreeAutoscaling": False,
        # Without `mode` there is no authentication at all, though KubeRay makes a Secret.
        "authOptions": {"mode": "token"},
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            # No rank and no data task on the head: it holds the driver and Ray's own state.
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104 - the submitter and KubeRay come from other pods; the NetworkPolicy names them
            "template": head_template(attempt),
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                # KubeRay's default of `replicas` is 0 and of `maxReplicas` 2147483647.
                "replicas": workers,
                "minReplicas": workers,
                "maxReplicas": workers,
                "numOfHosts": 1,
                "rayStartParams": {},
                "template": worker_template(attempt),
            }
        ],
    }
