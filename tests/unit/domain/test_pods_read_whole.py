"""Pod manifests read and merged: every fact, absent parts, long texts."""

import pytest

from trivium.domain.pod_evidence import PodEvidence, merge_evidence, read_pod_evidence

FULL = PodEvidence(
    pod="p", node="n1", cluster="c1", role="head", exit_code=1, out_of_memory=True, image_error="i",
    configuration_error="c", unschedulable="u", disruption="Evicted", disruption_message="d",
)  # fmt: skip
OTHER = PodEvidence(
    pod="p", node="n2", cluster="c2", role="worker", exit_code=2, image_error="i2", configuration_error="c2",
    unschedulable="u2", disruption="PreemptionByScheduler", disruption_message="d2",
)  # fmt: skip
LONG = "x" * 2000


def read(**status):
    return read_pod_evidence({"metadata": {"name": "p"}, "status": status})


def waiting(reason, **more):
    return [{"state": {"waiting": {"reason": reason, **more}}}]


def condition(kind, reason=None, status="True", **more):
    return [{"type": kind, "status": status, **({"reason": reason} if reason else {}), **more}]


def test_labels_say_which_cluster_a_pod_is_of_and_what_it_is_there():
    labels = {"ray.io/cluster": "c1", "ray.io/node-type": "head"}
    pod = {"metadata": {"name": "p", "labels": labels}, "spec": {"nodeName": "n1"}}
    assert read_pod_evidence(pod) == PodEvidence(pod="p", node="n1", cluster="c1", role="head")


def test_a_container_that_ended_well_is_no_trouble_and_its_end_is_known():
    evidence = read(containerStatuses=[{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}])
    assert evidence == PodEvidence(pod="p", exit_code=0)
    assert not evidence.is_trouble


@pytest.mark.parametrize(
    "fact",
    [
        {"exit_code": 1}, {"out_of_memory": True}, {"image_error": "e"}, {"configuration_error": "e"},
        {"unschedulable": "e"}, {"disruption": "Evicted"},
    ],
)  # fmt: skip
def test_any_single_fact_is_trouble(fact):
    assert PodEvidence(pod="p", **fact).is_trouble


@pytest.mark.parametrize(
    ("status", "want"),
    [
        ({"containerStatuses": waiting("ErrImagePull")}, {"image_error": "ErrImagePull: "}),
        ({"containerStatuses": waiting("CreateContainerError")}, {"configuration_error": "CreateContainerError: "}),
        ({"containerStatuses": waiting("ContainerCreating", message="soon")}, {}),
        ({"conditions": condition("PodScheduled", "Unschedulable", "False")}, {"unschedulable": "no node fits"}),
        ({"conditions": condition("DisruptionTarget")}, {"disruption": "DisruptionTarget"}),
        ({"reason": "Evicted"}, {"disruption": "Evicted"}),
        (
            {"reason": "Evicted", "message": "The node was low on memory."},
            {"disruption": "Evicted", "disruption_message": "The node was low on memory."},
        ),
        (
            {"message": "Said twice.", "conditions": condition("DisruptionTarget", message="Taint.")},
            {"disruption": "DisruptionTarget", "disruption_message": "Taint."},
        ),
        (
            {"message": "Said.", "conditions": condition("DisruptionTarget")},
            {"disruption": "DisruptionTarget", "disruption_message": "Said."},
        ),
        ({"reason": "Failed", "message": "Of no interest."}, {}),
    ],
)
def test_what_is_missing_from_a_status_is_left_open(status, want):
    assert read(**status) == PodEvidence(pod="p", **want)


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ({"containerStatuses": waiting("ErrImagePull", message=LONG)}, "image_error"),
        ({"containerStatuses": waiting("RunContainerError", message=LONG)}, "configuration_error"),
        ({"conditions": condition("PodScheduled", "Unschedulable", "False", message=LONG)}, "unschedulable"),
        ({"conditions": condition("DisruptionTarget", message=LONG)}, "disruption_message"),
    ],
)
def test_the_platforms_texts_are_cut(status, field):
    assert len(getattr(read(**status), field)) == 512


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        # What is newer wins where it says anything.
        (FULL, OTHER, {"node": "n2", "cluster": "c2", "role": "worker", "exit_code": 2, "out_of_memory": True,
                       "image_error": "i2", "configuration_error": "c2", "unschedulable": "u2",
                       "disruption": "PreemptionByScheduler", "disruption_message": "d2"}),
        # Where it says nothing the past stays, except for what the pod waited for.
        (FULL, PodEvidence(pod="p"), {"node": "n1", "cluster": "c1", "role": "head", "exit_code": 1,
                                      "out_of_memory": True, "disruption": "Evicted", "disruption_message": "d"}),
        (PodEvidence(pod="p"), FULL, {"node": "n1", "cluster": "c1", "role": "head", "exit_code": 1,
                                      "out_of_memory": True, "image_error": "i", "configuration_error": "c",
                                      "unschedulable": "u", "disruption": "Evicted", "disruption_message": "d"}),
        (PodEvidence(pod="p"), PodEvidence(pod="p"), {}),
    ],
)  # fmt: skip
def test_two_looks_at_a_pod_are_one_evidence(old, new, want):
    assert merge_evidence(old, new) == PodEvidence(pod="p", **want)


def test_after_its_deletion_a_pod_waits_for_nothing():
    assert FULL.after_deletion() == PodEvidence(
        pod="p", node="n1", cluster="c1", role="head", exit_code=1, out_of_memory=True,
        disruption="Evicted", disruption_message="d",
    )  # fmt: skip
