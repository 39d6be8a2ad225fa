"""What is read from pods, and what survives when their state moves on."""

import pytest

from trivium.domain.pod_evidence import PodEvidence, merge_evidence, read_pod_evidence


def pod(**status):
    return {"metadata": {"name": "p"}, "spec": {"nodeName": "n1"}, "status": status}


def terminated(code, reason="Error", key="state"):
    return {key: {"terminated": {"exitCode": code, "reason": reason}}}


def test_a_pod_that_runs_is_no_trouble():
    evidence = read_pod_evidence(pod(containerStatuses=[{"state": {"running": {}}}]))
    assert evidence == PodEvidence(pod="p", node="n1")
    assert not evidence.is_trouble


def test_a_memory_kill_is_seen_with_its_exit_code_and_node():
    evidence = read_pod_evidence(pod(containerStatuses=[terminated(137, "OOMKilled")]))
    assert (evidence.exit_code, evidence.out_of_memory, evidence.node) == (137, True, "n1")


def test_the_end_before_a_container_restart_still_counts():
    restarted = {"state": {"running": {}}, **terminated(137, "OOMKilled", key="lastState")}
    assert read_pod_evidence(pod(containerStatuses=[restarted])).out_of_memory


def test_a_failed_container_outranks_one_that_ended_well():
    assert read_pod_evidence(pod(containerStatuses=[terminated(0, "Completed"), terminated(1)])).exit_code == 1


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_named(reason):
    status = {"state": {"waiting": {"reason": reason, "message": "not found"}}}
    assert read_pod_evidence(pod(initContainerStatuses=[status])).image_error == f"{reason}: not found"


def test_a_missing_secret_is_a_configuration_error():
    status = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret trivium-hub not found"}}}
    evidence = read_pod_evidence(pod(containerStatuses=[status]))
    assert evidence.configuration_error == "CreateContainerConfigError: secret trivium-hub not found"


@pytest.mark.parametrize(("reason", "want"), [("Unschedulable", "0/3 nodes"), ("SchedulingGated", None)])
def test_only_the_schedulers_refusal_counts_as_unschedulable(reason, want):
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/3 nodes"}
    assert read_pod_evidence(pod(conditions=[condition])).unschedulable == want


@pytest.mark.parametrize(
    ("status", "want"),
    [
        ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
         "PreemptionByScheduler"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "New"}]}, "DisruptionTarget"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "False", "reason": "New"}]}, None),
        ({"reason": "Evicted"}, "Evicted"),
    ],
)  # fmt: skip
def test_the_platforms_reasons_are_kept(status, want):
    assert read_pod_evidence(pod(**status)).disruption == want


def test_an_end_once_seen_survives_a_restart_and_a_node_once_known_stays():
    old = PodEvidence(pod="p", node="n1", exit_code=137, out_of_memory=True)
    merged = merge_evidence(old, PodEvidence(pod="p"))
    assert (merged.exit_code, merged.out_of_memory, merged.node) == (137, True, "n1")


def test_a_waiting_reason_that_is_over_is_forgotten():
    old = PodEvidence(pod="p", image_error="ErrImagePull: 503", unschedulable="0/3 nodes")
    merged = merge_evidence(old, PodEvidence(pod="p", node="n2"))
    assert (merged.image_error, merged.unschedulable) == (None, None)


def test_a_manifest_without_any_part_is_read():
    assert read_pod_evidence({}) == PodEvidence(pod="")
