"""The pod that reads a job's report off its claim, and what it prints. Pure.

The operator cannot read claims, and neither can the API server: only a pod can. This one is made with the rights of the
person who asks, keeps the Pod Security Standard `restricted`, mounts the claim read-only, renders the report with the
job's own image, and prints it in an envelope, so that nothing else in its log can be taken for it.
"""

import base64
import binascii
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trivium.api import Job, parse_job
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.domain.run_layout import run_path
from trivium.ports import Manifest
from trivium.render import paths
from trivium.render.names import JOB_KIND, JOB_NAME, MANAGED_BY, label_value
from trivium.render.security import container_security, pod_security

CONTAINER = "report"
_BEGIN, _PART, _END = "TRIVIUM-REPORT", "TRIVIUM-PART", "TRIVIUM-END"
# Lines below 16 KiB, at which a container runtime cuts them.
PROGRAM = f"""\
import base64, gzip, hashlib, sys
from pathlib import Path
from trivium_trainer.report import find_chain, render_report
run, upstream, chain = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "chain"
try:
    found = find_chain(run, upstream_run=Path(upstream) if upstream else None) if chain else [run]
    page = render_report(found).encode()
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
packed = base64.b64encode(gzip.compress(page)).decode()
print("{_BEGIN}", hashlib.sha256(page).hexdigest())
for start in range(0, len(packed), 8192):
    print("{_PART}", packed[start : start + 8192])
print("{_END}")
"""
"""Run in the pod; of the trainer's image it needs the package `trivium_trainer.report` alone."""


def report_pod(
    manifest: Manifest, *, chain: bool, profile: Mapping[str, Any] | None, deadline_seconds: int
) -> dict[str, Any]:
    """The pod's manifest. `profile`: spec of the plan's ComputeProfile, for its placement and pull secrets; None where
    this person may not read it. Raises CommandError for a job that has written nothing yet.
    """
    plan = _plan_of(manifest)
    job = parse_job({part: value for part, value in manifest.items() if part != "status"})
    volumes, mounts, upstream = _storage(manifest, plan)
    run = paths.below(paths.below(paths.RUNS, plan["runs"].get("path")), run_path(job))
    container = {
        "name": CONTAINER,
        "image": plan["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROGRAM, run, upstream, "chain" if chain else "job"],
        "resources": {name: {"cpu": "500m", "memory": "1Gi"} for name in ("requests", "limits")},
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job),
        "spec": {
            **_placement(profile or {}),
            "activeDeadlineSeconds": deadline_seconds,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": pod_security(),
            "containers": [container],
            "volumes": volumes,
        },
    }


def profile_name(manifest: Manifest) -> str:
    """The profile that the pod is placed by."""
    return str(_plan_of(manifest).get("profile") or "")


def _plan_of(manifest: Manifest) -> Mapping[str, Any]:
    """That of `prepare` where there is one: it needs no GPU, and sees the same claims."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    plans = [stage.get("plan") or {} for stage in status.get("stages") or () if stage["name"] == "prepare"]
    plan = next((one for one in (*plans, status.get("plan") or {}) if one.get("image") and one.get("runs")), None)
    if plan is None or not status.get("attempts"):
        raise CommandError(f"{address_of(manifest)}: it has written nothing yet.", code=ExitCode.NOT_FOUND)
    return dict(plan)


def _metadata(job: Job) -> dict[str, Any]:
    metadata = job.metadata
    owner = {"apiVersion": job.api_version, "kind": job.kind, "name": metadata.name, "uid": metadata.uid}
    return {
        "generateName": "trivium-report-",
        "namespace": metadata.namespace,
        # Not managed by Trivium's operator, which watches what is.
        "labels": {
            MANAGED_BY: "kubectl-trivium",
            "app.kubernetes.io/name": "trivium-report",
            JOB_NAME: label_value(metadata.name),
            JOB_KIND: job.kind,
        },
        # Goes with the job, should this command die before it has removed it.
        "ownerReferences": [owner],
    }


def _storage(manifest: Manifest, plan: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Volumes, mounts, and where the run directory of the job that this one builds on is mounted; empty: nowhere."""
    volumes = [{"name": "tmp", "emptyDir": {}}, _claim("runs", plan["runs"]["claimName"])]
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": paths.TEMPORARY},
        {"name": "runs", "mountPath": paths.RUNS, "readOnly": True},
    ]
    before: Mapping[str, Any] = (manifest.get("status") or {}).get("upstream") or {}
    if not before:
        return volumes, mounts, ""
    root = paths.RUNS
    if before["claimName"] != plan["runs"]["claimName"]:
        root = paths.UPSTREAM
        volumes.append(_claim("upstream", before["claimName"]))
        mounts.append({"name": "upstream", "mountPath": paths.UPSTREAM, "readOnly": True})
    return volumes, mounts, paths.below(paths.below(root, before.get("path")), before["runPath"])


def _claim(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def _placement(profile: Mapping[str, Any]) -> dict[str, Any]:
    pod: Mapping[str, Any] = profile.get("pod") or {}
    fields = {
        "nodeSelector": pod.get("nodeSelector"),
        "tolerations": pod.get("tolerations"),
        "affinity": pod.get("affinity"),
        "imagePullSecrets": [{"name": name} for name in pod.get("imagePullSecrets") or ()],
    }
    return {name: value for name, value in fields.items() if value}


def open_envelope(lines: Iterable[str]) -> str:
    """The page that a pod has printed. Raises ValueError with what it printed instead."""
    printed = list(lines)
    digest = next((line.split()[1] for line in printed if line.startswith(f"{_BEGIN} ")), None)
    if digest is None:
        raise ValueError(_last_words(printed))
    if _END not in printed:
        raise ValueError("what it printed breaks off")
    packed = "".join(line.split()[1] for line in printed if line.startswith(f"{_PART} "))
    try:
        page = gzip.decompress(base64.b64decode(packed, validate=True))
    except (binascii.Error, EOFError, OSError) as error:
        raise ValueError(f"what it printed is damaged: {error}") from error
    if hashlib.sha256(page).hexdigest() != digest:
        raise ValueError("what it printed is damaged: its digest differs")
    return page.decode()


def _last_words(printed: Sequence[str]) -> str:
    said = [line for line in printed if line.strip()]
    return said[-1][:512] if said else "it printed nothing"
