"""The one place that spells child names, labels and annotation keys. The inverse reads them back from an object."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

JOB_NAME = "trivium.dev/job-name"
JOB_KIND = "trivium.dev/job-kind"
JOB_UID = "trivium.dev/job-uid"
STAGE = "trivium.dev/stage"
RUN = "trivium.dev/run"
SPEC_DIGEST = "trivium.dev/spec-digest"
"""Annotation of a RayJob: which immutable spec it runs."""
QUEUE_NAME = "kueue.x-k8s.io/queue-name"
PRIORITY_CLASS = "kueue.x-k8s.io/priority-class"
"""Kueue's own labels of a RayJob. KubeRay copies them to the RayCluster, where Kueue knows them for the RayJob's."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "trivium"

AUDIENCE_PREFIX = "trivium.dev/"
CA_BUNDLE_NAME = "trivium-ca"
"""One per namespace, shared by its jobs: a rotation reaches the running ones."""

# KubeRay 1.6 refuses a longer RayJob name (ValidationFailed, a dead end): it appends five random characters and more.
RAY_JOB_NAME_LIMIT = 47
_LABEL_VALUE_LIMIT = 63
_HASH_LENGTH = 8

_SHORT_KINDS = {"PretrainJob": "pretrain", "SFTJob": "sft", "PreferenceJob": "preference"}


def child_name(*, kind: str, name: str, stage: str, run: int) -> str:
    """The name of an attempt's children: a DNS-1035 label of at most 47 characters, different for every attempt.

    A job's name that is too long, has dots, or starts with a digit is cut or spelled anew, and then carries a hash.
    """
    suffix = f"-{_SHORT_KINDS[kind]}-{stage}-{run}"
    limit = RAY_JOB_NAME_LIMIT - len(suffix)
    if len(name) <= limit and re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        return name + suffix
    spelled = re.sub(r"[^a-z0-9-]", "-", name)
    spelled = spelled if spelled[:1].isalpha() else f"j{spelled}"
    return f"{spelled[: limit - _HASH_LENGTH - 1].rstrip('-')}-{_hash(name)}{suffix}"


def label_value(name: str) -> str:
    """A job's name as a label: cut with a hash where it is longer than a label may be."""
    if len(name) <= _LABEL_VALUE_LIMIT:
        return name
    return f"{name[: _LABEL_VALUE_LIMIT - _HASH_LENGTH - 1].rstrip('-.')}-{_hash(name)}"


def attempt_labels(*, kind: str, name: str, uid: str, stage: str, run: int) -> dict[str, str]:
    """On every child of an attempt and on its pods."""
    return {
        MANAGED_BY: MANAGER,
        JOB_NAME: label_value(name),
        JOB_KIND: kind,
        JOB_UID: uid,
        STAGE: stage,
        RUN: str(run),
    }


def queue_labels(queue: str, priority: str) -> dict[str, str]:
    """What makes a RayJob wait for its turn; nothing without a queue."""
    if not queue:
        return {}
    return {QUEUE_NAME: queue} | ({PRIORITY_CLASS: priority} if priority else {})


def attempt_of(labels: Mapping[str, Any]) -> tuple[str, int] | None:
    """(stage, run) of the attempt that an object belongs to; None if it is no child of ours."""
    stage, run = labels.get(STAGE), labels.get(RUN)
    if not isinstance(stage, str) or not isinstance(run, str) or not run.isdecimal():
        return None
    return stage, int(run)


def token_audience(uid: str) -> str:
    """Names the one job that a progress token speaks for."""
    return AUDIENCE_PREFIX + uid


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
