"""The store: what events and lists leave in it, whom they wake, and what it keeps beyond an object's end."""

from datetime import UTC, datetime

import pytest

from trivium.domain.report import ProgressReport
from trivium.ports import ObjectKey
from trivium.store import Store, key_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def manifest(kind, name, *, uid=None, version=1, owner=None, namespace="team", **parts):
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    if owner is not None:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"apiVersion": "x/v1", "kind": kind, "metadata": metadata, **parts}


def job(name="a", *, kind="SFTJob", upstream=None, succeeded=False, **more):
    reference = {"job": {"kind": "PretrainJob", "name": upstream}} if upstream else {"hub": {"repo": "r"}}
    conditions = [{"type": "Succeeded", "status": "True"}] if succeeded else []
    return manifest(kind, name, spec={"model": {"from": reference}}, status={"conditions": conditions}, **more)


def key(name, kind="SFTJob"):
    return ObjectKey(kind=kind, namespace="team", name=name)


@pytest.fixture
def store():
    return Store()


def family(store):
    """A job with a RayJob, a RayCluster and, on demand, pods."""
    store.apply_event("ADDED", job())
    store.apply_event("ADDED", manifest("RayJob", "a-r1", owner="uid-a"))
    store.apply_event("ADDED", manifest("RayCluster", "a-r1-x", owner="uid-a-r1"))


def pod(name="p", version=1, *, code=None, unschedulable=False):
    state = {"terminated": {"exitCode": code, "reason": "Error"}} if code is not None else {"running": {}}
    conditions = [{"type": "PodScheduled", "reason": "Unschedulable", "message": "full"}] if unschedulable else []
    status = {"containerStatuses": [{"state": state}], "conditions": conditions}
    return manifest("Pod", name, owner="uid-a-r1-x", version=version, status=status)


def test_an_event_wakes_the_job_itself_and_the_store_shows_it(store):
    assert store.apply_event("ADDED", job()) == {key("a")}
    assert store.get(key("a"))["metadata"]["uid"] == "uid-a"


def test_a_repeated_or_older_event_wakes_nobody_and_changes_nothing(store):
    store.apply_event("ADDED", job(version=5))
    assert store.apply_event("MODIFIED", job(version=5)) == frozenset()
    assert store.apply_event("MODIFIED", job(version=4)) == frozenset()
    assert store.get(key("a"))["metadata"]["resourceVersion"] == "5"


def test_the_stores_copy_does_not_change_with_the_callers(store):
    mine = job()
    store.apply_event("ADDED", mine)
    mine["spec"]["model"]["from"] = None
    assert store.get(key("a"))["spec"]["model"]["from"] == {"hub": {"repo": "r"}}


def test_a_childs_event_wakes_the_job_at_the_end_of_its_owners(store):
    store.apply_event("ADDED", job())
    assert store.apply_event("ADDED", manifest("RayJob", "a-r1", owner="uid-a")) == {key("a")}
    assert store.apply_event("ADDED", manifest("RayCluster", "a-r1-x", owner="uid-a-r1")) == {key("a")}
    assert store.apply_event("ADDED", pod()) == {key("a")}


def test_a_child_of_nobody_we_know_wakes_nobody(store):
    store.apply_event("ADDED", job())
    assert store.apply_event("ADDED", manifest("RayJob", "other", owner="uid-z")) == frozenset()
    assert store.apply_event("ADDED", manifest("RayJob", "orphan")) == frozenset()


def test_children_are_found_by_owner_and_never_by_name(store):
    family(store)
    store.apply_event("ADDED", manifest("RayJob", "a-r2", owner="uid-z"))
    assert [key_of(child).name for child in store.owned_by("uid-a", "RayJob")] == ["a-r1"]


def test_an_upstreams_end_wakes_its_dependents_and_its_progress_does_not(store):
    store.apply_event("ADDED", job("b", upstream="p"))
    assert store.dependents_of(key("p", "PretrainJob")) == {key("b")}
    assert key("b") in store.apply_event("ADDED", job("p", kind="PretrainJob"))
    moving = job("p", kind="PretrainJob", version=2)
    moving["status"]["progress"] = {"step": 7}
    assert store.apply_event("MODIFIED", moving) == {key("p", "PretrainJob")}
    done = job("p", kind="PretrainJob", version=3, succeeded=True)
    assert store.apply_event("MODIFIED", done) == {key("p", "PretrainJob"), key("b")}
    assert key("b") in store.apply_event("DELETED", done)


def test_a_profile_wakes_every_job_that_is_not_over(store):
    store.apply_event("ADDED", job("a"))
    store.apply_event("ADDED", job("b", succeeded=True))
    assert store.apply_event("ADDED", manifest("ComputeProfile", "h100", namespace="")) == {key("a")}


def test_a_key_waits_until_the_watch_shows_our_last_write(store):
    store.apply_event("ADDED", job(version=1))
    store.expect(job(version=4))
    assert not store.shows_last_write(key("a"))
    store.apply_event("MODIFIED", job(version=3))
    assert not store.shows_last_write(key("a"))
    assert store.apply_event("MODIFIED", job(version=5)) == {key("a")}
    assert store.shows_last_write(key("a"))


def test_a_write_that_the_watch_showed_before_it_returned_is_not_waited_for(store):
    store.apply_event("ADDED", job(version=4))
    store.expect(job(version=4))
    assert store.shows_last_write(key("a"))


def test_the_deletion_of_a_job_ends_the_wait_for_it(store):
    store.apply_event("ADDED", job())
    store.expect(job(version=9))
    store.apply_event("DELETED", job(version=8))
    assert store.shows_last_write(key("a"))
    assert store.get(key("a")) is None


def test_a_full_list_removes_what_vanished_while_the_watch_was_broken(store):
    store.apply_event("ADDED", job("a"))
    store.apply_event("ADDED", job("b"))
    assert store.replace("SFTJob", [job("b", version=2)]) == {key("a"), key("b")}
    assert store.job_keys() == (key("b"),)


def test_a_successor_with_the_same_name_replaces_its_predecessor_and_late_news_of_it_is_ignored(store):
    store.apply_event("ADDED", job(version=9))
    store.apply_event("ADDED", manifest("RayJob", "a-r1", owner="uid-a"))
    store.apply_event("ADDED", job(uid="new", version=10))
    assert store.apply_event("DELETED", job(version=11)) == frozenset()
    assert store.get(key("a"))["metadata"]["uid"] == "new"
    assert store.owned_by("new", "RayJob") == ()


def test_a_pods_exit_is_remembered_after_the_pod_is_gone(store):
    family(store)
    store.apply_event("ADDED", pod())
    store.apply_event("MODIFIED", pod(version=2, code=137))
    store.apply_event("DELETED", pod(version=3, code=137))
    assert [e.exit_code for e in store.evidence_of("uid-a-r1")] == [137]


def test_the_last_state_in_the_deletion_itself_counts(store):
    family(store)
    store.apply_event("DELETED", pod(version=3, code=1))
    assert [e.exit_code for e in store.evidence_of("uid-a-r1")] == [1]


def test_what_a_deleted_pod_waited_for_is_forgotten(store):
    family(store)
    store.apply_event("ADDED", pod(unschedulable=True))
    assert store.evidence_of("uid-a-r1")[0].unschedulable == "full"
    store.apply_event("DELETED", pod(unschedulable=True))
    assert store.evidence_of("uid-a-r1") == ()


def test_pods_that_a_full_list_lacks_are_buried(store):
    family(store)
    store.apply_event("ADDED", pod("p", code=1))
    store.apply_event("ADDED", pod("q"))
    store.replace("Pod", [])
    assert [e.pod for e in store.evidence_of("uid-a-r1")] == ["p"]


def test_evidence_that_arrives_before_its_cluster_is_kept_for_it(store):
    store.apply_event("ADDED", pod(code=1))
    family(store)
    assert [e.exit_code for e in store.evidence_of("uid-a-r1")] == [1]


def test_the_end_of_a_job_forgets_its_evidence_and_reports(store):
    family(store)
    store.apply_event("ADDED", pod(code=1))
    store.put_report("uid-a", 1, report(), now=NOW)
    store.apply_event("DELETED", job())
    assert store.evidence_of("uid-a-r1") == ()
    assert store.report_of("uid-a", 1) is None


def report(sequence=1, **more):
    payload = {"apiVersion": "progress.trivium.dev/v1alpha1", "jobUid": "uid-a", "stage": "train"}
    return ProgressReport.model_validate({**payload, "sequence": sequence, **more})


def test_the_newest_report_of_an_attempt_is_kept_and_an_older_one_ignored(store):
    store.put_report("uid-a", 1, report(5, step=50), now=NOW)
    store.put_report("uid-a", 1, report(4, step=40), now=NOW)
    assert store.report_of("uid-a", 1).report.step == 50


def test_a_new_attempt_drops_the_reports_of_the_one_before(store):
    store.put_report("uid-a", 1, report(), now=NOW)
    store.put_report("uid-a", 2, report(), now=NOW)
    assert store.report_of("uid-a", 1) is None
    assert store.report_of("uid-a", 2) is not None


def test_of_a_ray_job_only_its_suspension_and_status_are_kept(store):
    status = {"jobDeploymentStatus": "Running"}
    store.apply_event("ADDED", manifest("RayJob", "r", spec={"suspend": True, "entrypoint": "x" * 9000}, status=status))
    kept = store.get(key("r", kind="RayJob"))
    assert (kept["spec"], kept["status"]) == ({"suspend": True}, status)


def test_the_data_of_an_immutable_config_map_is_not_kept_and_that_of_others_is(store):
    for name, immutable in (("run-config", True), ("bundle", False)):
        store.apply_event("ADDED", manifest("ConfigMap", name, data={"a": "b"}, immutable=immutable))
    assert "data" not in store.get(key("run-config", kind="ConfigMap"))
    assert store.get(key("bundle", kind="ConfigMap"))["data"] == {"a": "b"}


def test_what_is_of_a_kind_follows_every_event_and_list(store):
    store.apply_event("ADDED", job("b"))
    store.apply_event("ADDED", job("a"))
    store.apply_event("ADDED", manifest("RayJob", "r"))
    assert [one["metadata"]["name"] for one in store.of_kind("SFTJob")] == ["a", "b"]
    store.apply_event("DELETED", job("a"))
    store.replace("RayJob", [])
    assert [one["metadata"]["name"] for one in store.of_kind("SFTJob", "RayJob")] == ["b"]


def test_what_is_kept_is_a_copy(store):
    seen = job("a")
    store.apply_event("ADDED", seen)
    seen["spec"]["model"]["from"]["hub"]["repo"] = "changed"
    assert store.get(key("a"))["spec"]["model"]["from"]["hub"]["repo"] == "r"


def made(version):
    return manifest("RayJob", "a-r1", owner="uid-a", version=version)


def test_a_list_does_not_take_away_what_the_watch_told_of_since_it_was_asked_for(store):
    with store.asking() as heard:
        listed = []
        store.apply_event("ADDED", made(version=7))
        store.replace("RayJob", listed, heard=heard)
    assert store.get(key("a-r1", "RayJob")) is not None


def test_a_list_does_not_bring_back_what_was_deleted_since_it_was_asked_for(store):
    store.apply_event("ADDED", made(version=7))
    with store.asking() as heard:
        listed = [made(version=7)]
        store.apply_event("DELETED", made(version=8))
        store.replace("RayJob", listed, heard=heard)
    assert store.get(key("a-r1", "RayJob")) is None


def test_what_was_read_live_is_not_taken_back_by_an_older_event(store):
    with store.asking() as heard:
        store.learn(made(version=7), heard=heard)
    store.apply_event("ADDED", made(version=3))
    assert store.get(key("a-r1", "RayJob"))["metadata"]["resourceVersion"] == "7"


def test_what_was_deleted_before_its_answer_came_is_not_learned(store):
    with store.asking() as heard:
        store.apply_event("DELETED", made(version=8))
        store.learn(made(version=7), heard=heard)
    assert store.get(key("a-r1", "RayJob")) is None


def test_the_jobs_that_are_over_are_known_without_looking_at_the_others(store):
    store.apply_event("ADDED", job("a"))
    store.apply_event("ADDED", job("b"))
    assert store.ended_jobs() == ()
    store.apply_event("MODIFIED", {**job("b", version=2), "status": {"endedAt": "2026-01-01T00:00:00Z"}})
    assert [one["metadata"]["name"] for one in store.ended_jobs()] == ["b"]
    store.apply_event("DELETED", job("b", version=3))
    assert store.ended_jobs() == ()


def test_each_of_two_answers_that_are_awaited_at_once_hears_what_came_meanwhile(store):
    with store.asking() as first:
        with store.asking():
            pass  # its end must not be taken for the other's: nothing was heard, so both are equal
        store.apply_event("ADDED", made(version=7))
        assert first == {"uid-a-r1"}


def workload(name="w", *, of="uid-a-r1", kind="RayJob", version=1, reason="Pending", **status):
    labels = {"labels": {"kueue.x-k8s.io/job-uid": of}} if of else {}
    whole = manifest("Workload", name, version=version, spec={"podSets": ["x" * 5000], "queueName": "b"})
    owner = {"uid": "somebody", "controller": True, "kind": kind}
    told = [{"type": "QuotaReserved", "status": "False", "reason": reason}]
    return whole | {
        "metadata": whole["metadata"] | labels | {"ownerReferences": [owner]},
        "status": {"conditions": told, **status},
    }


def test_a_workload_is_found_by_its_label_and_wakes_the_job(store):
    family(store)
    assert store.apply_event("ADDED", workload()) == {key("a")}
    (found,) = store.owned_by("uid-a-r1", "Workload")
    assert found["spec"] == {"queueName": "b"}
    assert store.apply_event("DELETED", workload(version=2)) == {key("a")}
    assert store.owned_by("uid-a-r1", "Workload") == ()


def test_a_workload_wakes_nobody_with_what_nobody_reads(store):
    family(store)
    store.apply_event("ADDED", workload())
    assert store.apply_event("MODIFIED", workload(version=2, resourceRequests=[1])) == frozenset()
    assert store.apply_event("MODIFIED", workload(version=3, reason="Inadmissible")) == {key("a")}
    (found,) = store.owned_by("uid-a-r1", "Workload")
    assert found["metadata"]["resourceVersion"] == "3"


@pytest.mark.parametrize("other", [{"kind": "Job"}, {"of": None}])
def test_workloads_of_other_frameworks_are_not_kept(store, other):
    family(store)
    assert store.apply_event("ADDED", workload(**other)) == frozenset()
    assert store.of_kind("Workload") == ()
    assert store.apply_event("DELETED", workload(**other)) == frozenset()


def test_a_workload_that_comes_before_its_ray_job_is_kept_for_it(store):
    store.apply_event("ADDED", job())
    assert store.apply_event("ADDED", workload()) == frozenset()
    assert store.apply_event("ADDED", manifest("RayJob", "a-r1", owner="uid-a")) == {key("a")}
    assert len(store.owned_by("uid-a-r1", "Workload")) == 1
