"""Whole lives of jobs, step by step: what status says at each, and what exists meanwhile."""

from datetime import timedelta

import pytest

from trivium.ports import RefusedError, TransientError


async def test_a_job_goes_through_both_stages_to_its_output(world):
    key = world.add_job()
    await world.settle()
    assert world.status(key).phase == "Starting"
    prepare = await world.to_running()
    assert world.status(key).phase == "Preparing"
    assert world.condition(key, "Planned") == ("True", "Provisional")
    await world.complete(prepare)
    await world.sweep()
    train = world.ray_job()
    assert train["metadata"]["name"] == "a-sft-train-2"
    assert world.condition(key, "Planned") == ("True", "Fits")
    await world.to_running()
    assert world.status(key).phase == "Running"
    await world.report(
        train, activity="step", step=50, totalSteps=100, tokens=5000, tokensPerSecond=100.0, loss=2.34567
    )
    await world.advance(11)
    progress = world.status(key).progress
    assert (progress.percent, progress.loss, progress.eta) == (50, 2.346, "50s")
    await world.complete(train)
    await world.sweep()
    status = world.status(key)
    uid = world.cluster.objects[key]["metadata"]["uid"]
    assert (status.phase, world.condition(key, "Succeeded")) == ("Succeeded", ("True", "Complete"))
    assert status.output.uri == f"pvc://runs/team/SFTJob/a/{uid}/train/output/model"
    assert status.output.digest == "sha256:d"
    assert [(a.stage, a.outcome) for a in status.attempts] == [("prepare", "Complete"), ("train", "Complete")]
    assert status.restarts == 0
    assert world.ray_jobs() == []
    assert [m["metadata"]["name"] for m in world.cluster.all("ConfigMap") + world.cluster.all("NetworkPolicy")] == []


async def test_the_children_of_an_attempt_exist_before_its_ray_job(world):
    world.add_job()
    await world.settle()
    created = [key.kind for verb, key in world.cluster.writes if verb in ("create", "apply")]
    assert created == ["NetworkPolicy", "ConfigMap", "RayJob"]


async def test_a_damaged_network_policy_is_put_right(world):
    world.add_job()
    await world.to_running()
    (policy,) = world.cluster.all("NetworkPolicy")
    world.cluster.change(
        next(k for k in world.cluster.objects if k.kind == "NetworkPolicy"), lambda m: m["spec"].update(ingress=[{}])
    )
    await world.settle()
    assert world.cluster.all("NetworkPolicy")[0]["spec"] == policy["spec"]


async def test_the_loss_of_reports_costs_nothing_where_the_log_has_the_last_word(world):
    key = world.add_job()
    prepare = await world.to_running()
    world.fail(prepare, "DataError", reason="MissingColumn")
    await world.sweep()
    status = world.status(key)
    assert (status.phase, world.condition(key, "Failed")) == ("Failed", ("True", "DataError"))
    assert status.attempts[-1].failure.reason == "MissingColumn"
    assert "Mend it." in status.message


async def test_a_complete_record_outranks_a_ray_job_that_says_failed(world):
    key = world.add_job()
    train = await world.to_training()
    await world.complete(train)
    world.set_ray_job(train, "Failed", "FAILED", reason="AppFailed", message="Ray's agent was gone.")
    await world.sweep()
    assert world.status(key).phase == "Succeeded"


async def test_prepare_without_an_inspection_is_asked_again(world):
    key = world.add_job()
    prepare = await world.to_running()
    world.set_ray_job(prepare, "Complete", "SUCCEEDED")
    await world.sweep()
    assert world.status(key).attempts[-1].failure.reason == "InspectionMissing"
    await world.advance(60)
    await world.complete(await world.to_running())
    await world.sweep()
    assert world.status(key).stage == "train"


async def test_a_failed_attempt_is_followed_by_another_after_a_pause_that_grows(world):
    key = world.add_job(recovery={"backoff": {"initialSeconds": 100, "maxSeconds": 150}})
    await world.to_training()
    pauses = []
    for _ in range(3):
        world.fail(world.ray_job())
        await world.sweep()
        assert world.status(key).phase == "Restarting"
        assert world.condition(key, "Restarting") == ("True", "BackingOff")
        ended_at = world.status(key).attempts[-1].ended_at
        while not world.ray_jobs():
            await world.advance(1)
        pauses.append((world.status(key).attempts[-1].started_at - ended_at).total_seconds())
        await world.to_running()
    assert 80 <= pauses[0] <= 100
    assert 120 <= pauses[1] <= 150
    assert 120 <= pauses[2] <= 150
    assert world.status(key).restarts == 3
    assert world.condition(key, "Restarting") == ("False", "Resumed")


async def test_three_restarts_without_a_new_checkpoint_end_the_job(world):
    key = world.add_job()
    await world.to_training()
    for attempt in range(4):
        world.fail(world.ray_job())
        await world.sweep()
        assert world.is_over(key) is (attempt == 3)
        if attempt < 3:
            await world.advance(700)
            await world.to_running()
    assert "no new checkpoint" in world.status(key).message


async def test_restarts_that_reach_new_checkpoints_last_as_long_as_the_budget(world):
    key = world.add_job(recovery={"maxRestarts": 4})
    await world.to_training()
    for attempt in range(5):
        step = 10 * (attempt + 1)
        await world.report(world.ray_job(), activity="step", step=step, checkpoint={"step": step, "path": "train/c"})
        world.fail(world.ray_job())
        await world.sweep()
        assert world.is_over(key) is (attempt == 4)
        if attempt < 4:
            await world.advance(700)
            await world.to_running()
            assert world.status(key).attempts[-1].first_step == step
    assert "all 4 restarts are spent" in world.status(key).message
    assert world.condition(key, "Failed") == ("True", "Infrastructure")


async def test_restarts_inside_an_attempt_count_against_the_same_budget(world):
    key = world.add_job(recovery={"maxRestarts": 3})
    train = await world.to_training()
    await world.report(train, activity="step", step=5, restarts=3)
    await world.settle()
    assert (world.status(key).restarts, world.status(key).restart_budget.spent) == (3, 3)
    # From the attempt's beginning: what it has spent since, the trainer subtracts by itself.
    assert (await world.report(train, activity="step", step=6, restarts=3))["remainingRestarts"] == 3
    world.fail(train)
    await world.sweep()
    assert world.is_over(key)


async def test_the_budget_is_full_again_after_a_window_of_progress(world):
    key = world.add_job(recovery={"maxRestarts": 1, "windowSeconds": 1000})
    await world.to_training()
    for attempt in range(3):
        train = world.ray_job()
        step = 10 * (attempt + 1)
        world.clock.time += timedelta(seconds=1001)
        await world.report(train, activity="step", step=step, checkpoint={"step": step, "path": "train/c"})
        world.fail(train)
        await world.sweep()
        assert not world.is_over(key)
        assert world.status(key).restart_budget.spent == 1
        await world.advance(700)
        await world.to_running()


async def test_preemptions_cost_nothing(world):
    key = world.add_job(recovery={"maxRestarts": 0})
    await world.to_training()
    for _ in range(6):
        train = world.ray_job()
        disruption = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        world.pod(train, conditions=[disruption])
        world.fail(train)
        await world.sweep()
        assert not world.is_over(key)
        failures = [a.failure for a in world.status(key).attempts if a.failure is not None]
        assert failures[-1].failure_class == "Preempted"
        await world.advance(60)
        await world.to_running()
    assert world.status(key).restart_budget.spent == 0


async def test_out_of_memory_halves_the_micro_batch_and_keeps_the_global_batch(world):
    key = world.add_job(optimization={"steps": 100, "globalBatchSize": 32, "microBatchSize": 4})
    await world.to_training()
    seen = []
    while not world.is_over(key):
        plan = world.status(key).plan
        (size,) = plan.sizes
        assert size.world_size * size.micro_batch_size * size.gradient_accumulation == 32
        seen.append((size.micro_batch_size, world.status(key).attempts[-1].micro_batch_size))
        step = 10 * len(seen)
        await world.report(world.ray_job(), activity="step", step=step, checkpoint={"step": step, "path": "train/c"})
        world.fail(world.ray_job(), "OutOfMemory")
        await world.sweep()
        await world.advance(700)
        if not world.is_over(key):
            await world.to_running()
    assert seen == [(4, 4), (2, 2), (1, 1)]
    assert "as small as it can be" in world.status(key).message


async def test_out_of_memory_fails_where_the_job_says_so(world):
    key = world.add_job(recovery={"onOutOfMemory": "fail"})
    await world.to_training()
    world.fail(world.ray_job(), "OutOfMemory")
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "OutOfMemory")


async def test_suspend_saves_then_frees_everything_and_resume_is_a_new_attempt(world):
    key = world.add_job()
    train = await world.to_training()
    world.edit(key, runPolicy={"suspend": True})
    await world.settle()
    assert world.status(key).phase == "Suspending"
    answer = await world.report(train, activity="step", step=30)
    assert answer["command"] == "checkpointAndStop"
    assert world.ray_jobs() == [world.cluster.objects[next(k for k in world.cluster.objects if k.kind == "RayJob")]]
    end = {"outcome": "stopped", "stage": "train", "step": 30}
    checkpoint = {"step": 30, "path": "train/checkpoints/step-00000030"}
    assert await world.report(train, activity="finish", step=30, checkpoint=checkpoint, end=end) is not None
    world.fail(train, outcome="stopped", step=30)
    await world.sweep()
    assert (world.status(key).phase, world.condition(key, "Suspended")) == ("Suspended", ("True", "CapacityFreed"))
    assert world.ray_jobs() == []
    world.edit(key, runPolicy={"suspend": False})
    await world.to_running()
    status = world.status(key)
    assert (status.phase, status.attempts[-1].number, status.attempts[-1].first_step) == ("Running", 3, 30)
    assert (status.restarts, status.restart_budget.spent) == (0, 0)
    assert world.condition(key, "Suspended") == ("False", "Resumed")
    assert (await world.report(world.ray_job(), activity="step", step=31))["command"] is None


async def test_a_trainer_that_does_not_stop_is_stopped_after_a_grace(world):
    key = world.add_job()
    await world.to_training()
    world.edit(key, runPolicy={"suspend": True})
    await world.settle()
    await world.advance(599)
    assert world.status(key).phase == "Suspending"
    await world.advance(2)
    await world.sweep()
    assert (world.status(key).phase, world.ray_jobs()) == ("Suspended", [])


async def test_an_attempt_that_has_nothing_to_save_is_suspended_at_once(world):
    key = world.add_job()
    await world.settle()
    world.edit(key, runPolicy={"suspend": True})
    await world.sweep()
    assert (world.status(key).phase, world.ray_jobs()) == ("Suspended", [])


async def test_a_job_that_is_suspended_from_the_start_makes_nothing(world):
    key = world.add_job(runPolicy={"suspend": True})
    await world.settle()
    assert world.status(key).phase == "Suspended"
    assert [verb for verb, _ in world.cluster.writes] == ["status"]


async def test_a_wish_that_is_withdrawn_while_saving_resumes_afterwards(world):
    key = world.add_job()
    train = await world.to_training()
    world.edit(key, runPolicy={"suspend": True})
    await world.settle()
    world.edit(key, runPolicy={"suspend": False})
    await world.settle()
    assert (await world.report(train))["command"] == "checkpointAndStop"
    world.fail(train, outcome="stopped")
    await world.sweep()
    assert world.status(key).attempts[-2].outcome == "Stopped"
    assert world.status(key).phase == "Starting"


async def test_a_stop_that_nobody_asked_for_counts_as_a_failure(world):
    key = world.add_job()
    world.fail(await world.to_training(), outcome="stopped")
    await world.sweep()
    assert world.status(key).attempts[-1].failure.reason == "StoppedUnasked"


async def test_a_ray_job_that_somebody_deleted_is_a_failure_and_not_a_mystery(world):
    key = world.add_job()
    train = await world.to_training()
    world.cluster.start_deletion(next(k for k in world.cluster.objects if k.kind == "RayJob"))
    await world.settle()
    assert world.condition(key, "Running") == ("False", "Deleted")
    world.finish_deletion(train)
    await world.settle()
    assert world.status(key).attempts[-1].failure.reason == "RayJobDeleted"


async def test_a_ray_job_that_kuberay_refuses_is_never_tried_again(world):
    key = world.add_job()
    await world.settle()
    world.set_ray_job(world.ray_job(), "ValidationFailed", message="name too long")
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "Internal")
    assert world.ray_jobs() == []


async def test_pods_that_cannot_pull_their_image_fail_fast(world):
    key = world.add_job()
    await world.settle()
    world.start(world.ray_job())
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    world.pod(world.ray_job(), containerStatuses=[{"state": {"waiting": waiting}}])
    await world.settle()
    assert "no such image" in world.status(key).message
    await world.advance(121)
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "ImagePull")


async def test_pods_that_no_node_fits_end_the_job_after_the_start_timeout(world):
    key = world.add_job(compute={"workerStartTimeoutSeconds": 300})
    await world.settle()
    world.start(world.ray_job())
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    world.pod(world.ray_job(), conditions=[full])
    await world.advance(299)
    assert not world.is_over(key)
    await world.advance(2)
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "Unschedulable")


async def test_a_trainer_that_reports_the_same_step_for_too_long_hangs(world):
    key = world.add_job(recovery={"hangTimeoutSeconds": 60})
    train = await world.to_training()
    await world.report(train, activity="step", step=7, tokens=70)
    for _ in range(11):
        await world.advance(10)
        await world.report(train, activity="step", step=7, tokens=70)
    await world.advance(11)
    assert world.status(key).attempts[-1].outcome is None, "no report has shown it yet"
    await world.report(train, activity="step", step=7, tokens=70)
    await world.settle()
    assert world.status(key).attempts[-1].failure.reason == "NoProgress"


async def test_a_slow_save_is_no_hang(world):
    key = world.add_job(recovery={"hangTimeoutSeconds": 60})
    train = await world.to_training()
    for _ in range(50):
        await world.report(train, activity="save", step=7)
        await world.advance(20)
    assert world.status(key).attempts[-1].outcome is None


async def test_a_silent_trainer_is_given_ten_times_the_time(world):
    key = world.add_job(recovery={"hangTimeoutSeconds": 60})
    train = await world.to_training()
    await world.report(train, activity="step", step=7)
    world.progress.clear()
    await world.advance(119)
    assert world.status(key).attempts[-1].outcome is None
    await world.advance(500)
    assert world.status(key).attempts[-1].failure.failure_class == "Hang"


async def test_silence_before_the_operator_listened_does_not_count(world):
    key = world.add_job(recovery={"hangTimeoutSeconds": 60})
    await world.to_training()
    world.clock.time += timedelta(seconds=590)
    world.start_operator()
    await world.advance(590)
    assert world.status(key).attempts[-1].outcome is None
    await world.advance(20)
    assert world.status(key).attempts[-1].failure.reason == "Silent"


async def test_a_start_deadline_that_passes_ends_the_job(world):
    key = world.add_job(runPolicy={"startDeadlineSeconds": 100})
    await world.settle()
    await world.advance(101)
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "Deadline")


async def test_a_start_deadline_that_was_met_never_comes_back(world):
    key = world.add_job(runPolicy={"startDeadlineSeconds": 100})
    world.fail(await world.to_training())
    await world.sweep()
    await world.advance(1000)
    assert not world.is_over(key)


async def test_an_active_deadline_saves_and_then_ends_the_job(world):
    key = world.add_job(runPolicy={"activeDeadlineSeconds": 1000})
    train = await world.to_training()
    await world.advance(1001)
    assert (await world.report(train, activity="step", step=3))["command"] == "checkpointAndStop"
    world.fail(train, outcome="stopped")
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "Deadline")


async def test_suspended_time_does_not_count_as_active(world):
    key = world.add_job(runPolicy={"activeDeadlineSeconds": 1000})
    train = await world.to_training()
    world.edit(key, runPolicy={"suspend": True, "activeDeadlineSeconds": 1000})
    await world.settle()
    world.fail(train, outcome="stopped")
    await world.sweep()
    await world.advance(5000)
    world.edit(key, runPolicy={"suspend": False, "activeDeadlineSeconds": 1000})
    await world.to_running()
    assert world.status(key).phase == "Running"


async def test_a_finished_job_is_deleted_when_its_time_to_live_is_up(world):
    key = world.add_job(runPolicy={"ttlSecondsAfterFinished": 50})
    await world.complete(await world.to_training())
    await world.sweep()
    await world.advance(49)
    assert key in world.cluster.objects
    await world.advance(2)
    assert key not in world.cluster.objects


async def test_a_job_that_is_being_deleted_gets_no_new_child(world):
    key = world.add_job()
    world.cluster.change(key, lambda m: m["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
    await world.settle()
    assert world.cluster.writes == []


async def test_a_name_that_another_holds_is_waited_for_and_said(world):
    key = world.add_job()
    other = {"name": "a-sft-prepare-1", "namespace": "team", "uid": "other"}
    world.cluster.put({"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": other})
    await world.settle()
    assert world.condition(key, "Running") == ("False", "NameTaken")
    world.cluster.remove(next(k for k in world.cluster.objects if k.kind == "RayJob"))
    await world.advance(31)
    assert world.ray_job()["metadata"]["uid"] != "other"


async def test_a_refusal_by_the_api_server_is_recorded_and_tried_again(world):
    key = world.add_job()
    create, world.cluster.create = world.cluster.create, None

    async def refuse(manifest):
        raise RefusedError("exceeded quota: rayjobs=0")

    world.cluster.create = refuse
    await world.settle()
    failure = world.status(key).attempts[-1].failure
    assert (failure.reason, "exceeded quota" in failure.message) == ("CreationRefused", True)
    world.cluster.create = create
    await world.advance(60)
    assert len(world.ray_jobs()) == 1


async def test_an_invalid_spec_becomes_a_condition_and_is_forgotten_when_corrected(world):
    key = world.add_job(optimization={"steps": 100, "globalBatchSize": 0})
    await world.settle()
    assert world.condition(key, "Accepted") == ("False", "InvalidSpec")
    assert "globalBatchSize" in world.status(key).message
    assert world.ray_jobs() == []
    world.edit(key, optimization={"steps": 100, "globalBatchSize": 32})
    await world.settle()
    assert world.condition(key, "Accepted") == ("True", "Valid")


async def test_a_plan_that_cannot_be_leaves_the_job_editable_and_says_why(world):
    key = world.add_job(compute={"profile": "cpu", "gpusPerWorker": 8})
    await world.settle()
    assert world.condition(key, "Planned") == ("False", "DoesNotFit")
    assert world.status(key).plan is None
    world.edit(key, compute={"profile": "cpu"})
    await world.settle()
    assert world.condition(key, "Planned") == ("True", "Provisional")


@pytest.mark.parametrize(
    ("defaults", "named", "want"),
    [
        ((), None, "NoDefaultProfile"),
        (("cpu", "other"), None, "SeveralDefaultProfiles"),
        (("cpu",), "missing", "ProfileNotFound"),
    ],
)
async def test_a_job_without_a_profile_waits_and_says_which_there_are(world, defaults, named, want):
    (profile,) = world.cluster.all("ComputeProfile")
    for name in ("cpu", "other"):
        spec = {**profile["spec"], "default": name in defaults}
        world.cluster.put({**profile, "metadata": {"name": name}, "spec": spec})
    key = world.add_job(compute={"profile": named} if named else {})
    await world.settle()
    assert world.condition(key, "Planned") == ("False", want)
    assert "cpu" in world.status(key).message


async def test_a_profile_that_appears_wakes_the_jobs_that_wait_for_it(world):
    key = world.add_job(compute={"profile": "late"})
    await world.settle()
    (profile,) = world.cluster.all("ComputeProfile")
    world.cluster.put({**profile, "metadata": {"name": "late"}})
    await world.settle()
    assert world.condition(key, "Planned") == ("True", "Provisional")


async def test_an_edit_of_the_profile_does_not_change_a_planned_job(world):
    key = world.add_job()
    await world.settle()
    (profile,) = world.cluster.all("ComputeProfile")
    spec = {**profile["spec"], "image": "registry.example/other@sha256:2"}
    world.cluster.put({**profile, "spec": spec, "metadata": {**profile["metadata"], "generation": 2}})
    await world.to_training()
    plan = world.status(key).plan
    assert (plan.image, plan.profile_generation) == ("registry.example/trainer@sha256:1", 1)


async def test_a_chain_of_jobs_waits_for_its_upstream_and_keeps_what_it_needs_of_it(world):
    first = world.add_job("base")
    second = world.add_job("tuned", kind="PreferenceJob", upstream={"kind": "SFTJob", "name": "base"})
    await world.settle()
    assert world.condition(second, "UpstreamReady") == ("False", "UpstreamNotFinished")
    assert world.status(second).phase == "Waiting"
    await world.complete(await world.to_training())
    await world.sweep()
    upstream = world.status(second).upstream
    uid = world.cluster.objects[first]["metadata"]["uid"]
    assert (upstream.uid, upstream.digest, upstream.claim_name) == (uid, "sha256:d", "runs")
    assert upstream.output_path == f"team/SFTJob/base/{uid}/train/output/model"
    world.cluster.remove(first)
    await world.complete(await world.to_training())
    await world.sweep()
    status = world.status(second)
    assert status.phase == "Succeeded"
    assert [(entry.name, entry.uid) for entry in status.lineage] == [("base", uid)]


async def test_a_missing_and_a_failed_upstream_are_waited_for_with_a_reason_each(world):
    second = world.add_job("tuned", upstream={"kind": "PretrainJob", "name": "base"})
    await world.settle()
    assert world.condition(second, "UpstreamReady") == ("False", "UpstreamNotFound")
    world.cluster.remove(second)
    first = world.add_job("base")
    second = world.add_job("tuned", upstream={"kind": "SFTJob", "name": "base"})
    world.fail(await world.to_running(), "UserError")
    await world.sweep()
    assert world.is_over(first)
    assert world.condition(second, "UpstreamReady") == ("False", "UpstreamFailed")


async def test_more_workers_take_effect_with_the_next_attempt(world):
    key = world.add_job()
    train = await world.to_training()
    world.edit(key, compute={"workers": 2})
    await world.settle()
    assert world.status(key).plan.workers == 1
    world.fail(train)
    await world.sweep()
    await world.advance(60)
    assert (world.status(key).plan.workers, world.status(key).attempts[-1].workers) == (2, 2)


async def test_an_operator_that_restarts_finds_the_end_that_was_reported_to_the_one_before(world):
    key = world.add_job()
    prepare = await world.to_running()
    await world.complete(prepare)
    world.start_operator()
    await world.sweep()
    assert world.status(key).inspection.parameters == 2_557_632
    assert world.status(key).stage == "train"


async def test_a_final_report_is_answered_only_when_its_end_is_recorded(world):
    key = world.add_job()
    prepare = await world.to_running()
    replace, world.cluster.replace_status = world.cluster.replace_status, None

    async def down(manifest):
        raise TransientError("no API server")

    world.cluster.replace_status = down
    end = {"outcome": "failed", "stage": "prepare", "failure": {"class": "UserError", "reason": "Wrong"}}
    assert await world.report(prepare, activity="finish", end=end) is None
    world.cluster.replace_status = replace
    await world.advance(60)
    assert await world.report(prepare, activity="finish", end=end) is not None
    assert world.status(key).attempts[-1].failure.reason == "Wrong"


async def test_a_last_word_whose_process_never_ends_is_enough_after_a_while(world):
    key = world.add_job()
    prepare = await world.to_running()
    end = {"outcome": "failed", "stage": "prepare", "failure": {"class": "UserError", "reason": "Wrong"}}
    await world.report(prepare, activity="finish", end=end)
    await world.advance(500)
    await world.sweep()
    assert world.condition(key, "Failed") == ("True", "UserError")


async def test_each_transition_is_announced_once(world):
    world.add_job()
    await world.complete(await world.to_training())
    await world.sweep()
    reasons = [event.reason for event in world.cluster.events]
    assert reasons == ["AttemptStarted", "AttemptEnded", "Planned", "AttemptStarted", "AttemptEnded", "Succeeded"]


async def test_a_ray_job_that_the_watch_has_not_shown_yet_is_found_before_anything_takes_its_place(world):
    key = world.add_job()

    async def settle_blindly():
        for _ in range(30):
            world.deliver(kind="SFTJob")
            await world.run_one_key()

    await world.ensure_listed()
    await settle_blindly()
    assert len(world.ray_jobs()) == 1
    world.edit(key, runPolicy={"suspend": True})
    await settle_blindly()
    world.edit(key, runPolicy={"suspend": False})
    await settle_blindly()
    (old,) = world.ray_jobs()
    assert "deletionTimestamp" in old["metadata"]
    await world.sweep()
    assert world.ray_job()["metadata"]["name"] == "a-sft-prepare-2"


async def test_a_key_waits_until_the_watch_shows_its_last_write(world):
    world.add_job()
    await world.ensure_listed()
    await world.run_one_key()
    assert len(world.cluster.writes) == 1
    world.cluster.change(next(k for k in world.cluster.objects if k.kind == "ComputeProfile"), lambda m: None)
    world.deliver(kind="ComputeProfile")
    assert await world.run_one_key()
    assert len(world.cluster.writes) == 1
    await world.settle()
    assert len(world.ray_jobs()) == 1
