"""Properties over random histories: lagging watches, failing processes, lost reports, impatient users, dying operators.

From any state that a history reaches: passes come to rest, the next pass writes nothing, and once the world is kind
every job ends or says what it waits for. On the way no job ever has two RayJobs, nothing exists that status did not
name before, and nothing is deleted whose end is not recorded (checked at every write, in conftest.py).
"""

import random
from datetime import timedelta

import pytest

from trivium.api.conditions import ConditionType
from trivium.ports import ConflictError, TransientError

SEEDS = range(25)
ACTIONS = 120
CLASSES = ("Infrastructure", "Preempted", "OutOfMemory", "UserError", "Hang", "Internal", "Diverged", "NewClass")


class History:
    """One random life of three jobs, two of which form a chain."""

    def __init__(self, world, died, seed):
        self.world = world
        self.random = random.Random(seed)
        self.died = died
        self.reached = set()
        recovery = {"backoff": {"initialSeconds": 5, "maxSeconds": 20}, "maxRestarts": 8}
        self.jobs = [
            world.add_job("base", recovery=recovery),
            world.add_job("tuned", upstream={"kind": "SFTJob", "name": "base"}, recovery=recovery),
            world.add_job(
                "other", kind="PreferenceJob", recovery=recovery, runPolicy={"activeDeadlineSeconds": 90_000}
            ),
        ]
        world.cluster.fault = self.fault
        self.faults = True

    def fault(self, number, moment):
        """Before a write: nothing came of it. After: it was done, and nobody heard."""
        if not self.faults or self.random.random() > 0.06:
            return
        error = self.random.choice([self.died("killed"), TransientError("timed out"), ConflictError("raced")])
        if moment == "after" and isinstance(error, ConflictError):
            return
        raise error

    async def act(self):
        world = self.world
        action = self.random.choices(
            [self.pass_on, self.deliver_some, self.move_kuberay, self.talk, self.wait, self.meddle, self.kill],
            weights=[40, 30, 25, 15, 6, 6, 1],
        )[0]
        await action()
        for job in self.jobs:
            self.note(world.status(job))

    def note(self, status):
        """What this history has reached so far. Nobody here takes the names of our children."""
        assert not any(condition.reason == "NameTaken" for condition in status.conditions)
        self.reached.add(str(status.phase))
        self.reached |= {str(a.failure.failure_class) for a in status.attempts if a.failure is not None}
        self.reached |= {str(a.outcome) for a in status.attempts}

    async def pass_on(self):
        for _ in range(self.random.randint(1, 4)):
            await self.world.run_one_key()

    async def deliver_some(self):
        await self.world.ensure_listed()
        waiting = sorted(kind for kind, watch in self.world.cluster.watches.items() if watch)
        if waiting:
            self.world.deliver(kind=self.random.choice(waiting), count=self.random.randint(1, 6))

    async def wait(self):
        self.world.clock.time += timedelta(seconds=self.random.choice([1, 7, 30, 300, 2000]))

    async def kill(self):
        self.world.start_operator()

    async def move_kuberay(self):
        world = self.world
        if not world.ray_jobs():
            return
        ray_job = self.random.choice(world.ray_jobs())
        if "deletionTimestamp" in ray_job["metadata"]:
            world.finish_deletion(ray_job)
            return
        match (ray_job.get("status") or {}).get("jobDeploymentStatus", ""):
            case "":
                self.random.choices([world.start, self.invalid], weights=[20, 1])[0](ray_job)
            case "Initializing":
                world.run(ray_job)
            case "Running":
                await self.end(ray_job)

    def invalid(self, ray_job):
        self.world.set_ray_job(ray_job, "ValidationFailed")

    async def end(self, ray_job):
        world = self.world
        kind = self.random.choices(["complete", "fail", "vanish", "silent success", "odd"], weights=[10, 5, 5, 2, 1])[0]
        match kind:
            case "complete":
                await world.complete(ray_job)
            case "fail":
                outcome = self.random.choice(["failed", "failed", "stopped"])
                world.fail(ray_job, self.random.choice(CLASSES), outcome=outcome)
            case "vanish":
                reason = self.random.choice(["PreemptionByScheduler", "DeletionByTaintManager"])
                world.pod(ray_job, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": reason}])
                world.set_ray_job(ray_job, "Failed", "", reason="SubmissionFailed")
            case "silent success":
                world.set_ray_job(ray_job, "Complete", "SUCCEEDED")
            case "odd":
                world.set_ray_job(ray_job, "Hibernating", "DREAMING")

    async def talk(self):
        running = [r for r in self.world.ray_jobs() if (r.get("status") or {}).get("jobStatus") == "RUNNING"]
        if not running:
            return
        ray_job = self.random.choice(running)
        step = self.random.randint(0, 100)
        checkpoint = {"checkpoint": {"step": step - step % 10, "path": "train/c"}} if self.random.random() < 0.3 else {}
        answer = await self.world.report(
            ray_job,
            activity=self.random.choice(["start", "step", "save"]),
            step=step,
            restarts=self.random.choice([0, 0, 0, 1]),
            tokens=step * 100,
            tokensPerSecond=50.0,
            **checkpoint,
        )
        if answer is not None and answer["command"] == "checkpointAndStop" and self.random.random() < 0.7:
            self.world.fail(ray_job, outcome="stopped")

    async def meddle(self):
        world = self.world
        job = self.random.choice(self.jobs)
        deed = self.random.choice(["suspend", "resume", "delete RayJob", "damage", "profile"])
        if deed in ("suspend", "resume") and job in world.cluster.objects:
            world.edit(job, runPolicy={"suspend": deed == "suspend"})
        elif deed == "delete RayJob" and world.ray_jobs():
            ray_job = self.random.choice(world.ray_jobs())
            world.cluster.start_deletion(next(k for k, m in world.cluster.objects.items() if m is ray_job))
        elif deed == "damage":
            policies = [k for k in world.cluster.objects if k.kind in ("NetworkPolicy", "ConfigMap")]
            if policies:
                world.cluster.remove(self.random.choice(policies))
        elif deed == "profile":
            key = next(k for k in world.cluster.objects if k.kind == "ComputeProfile")
            world.cluster.change(key, lambda m: None)

    async def be_kind(self):
        """Nobody dies or meddles any more, every process succeeds, and users want their jobs to run."""
        world = self.world
        self.faults = False
        for job in self.jobs:
            policy = dict(world.cluster.objects[job]["spec"].get("runPolicy") or {})
            world.edit(job, runPolicy={**policy, "suspend": False})
        for _ in range(150):
            await world.settle()
            for ray_job in world.ray_jobs():
                await self.help(ray_job)
            await world.advance(30)
            if all(world.is_over(job) for job in self.jobs) and not world.ray_jobs():
                break
        await world.settle()

    async def help(self, ray_job):
        world, state = self.world, (ray_job.get("status") or {}).get("jobDeploymentStatus", "")
        if "deletionTimestamp" in ray_job["metadata"]:
            world.finish_deletion(ray_job)
        elif state == "":
            world.start(ray_job)
        elif state == "Initializing":
            world.run(ray_job)
        elif state in ("Running", "Hibernating"):
            await world.complete(ray_job)


async def resting_writes(world):
    """Writes of one more pass over every job, after passes over every job (one may have waited out its back-off)."""
    await world.controller.resync()
    await world.settle()
    before = len(world.cluster.writes)
    await world.controller.resync()
    await world.settle()
    return world.cluster.writes[before:]


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_history_comes_to_rest_and_once_the_world_is_kind_to_an_end(new_world, died, seed):
    world = new_world()
    history = History(world, died, seed)
    for number in range(ACTIONS):
        await history.act()
        if number % 30 == 29:
            history.faults = False
            await world.settle()
            assert await resting_writes(world) == []
            history.faults = True
    await history.be_kind()
    assert await resting_writes(world) == []
    assert world.ray_jobs() == []
    for job in history.jobs:
        status = world.status(job)
        waits = world.condition(job, ConditionType.UPSTREAM_READY)
        assert world.is_over(job) or waits == ("False", "UpstreamFailed"), status.message
        assert status.message
        assert all(attempt.ended_at is not None for attempt in status.attempts)


async def test_the_histories_reach_what_they_are_meant_to_reach(new_world, died):
    reached = set()
    for seed in SEEDS[:12]:
        world = new_world()
        history = History(world, died, seed)
        for _ in range(ACTIONS):
            await history.act()
        await history.be_kind()
        for job in history.jobs:
            history.note(world.status(job))
        reached |= history.reached
    assert reached >= {"Succeeded", "Failed", "Suspended", "Waiting", "Complete", "Stopped", "Preempted", "Internal"}


@pytest.mark.slow
async def test_an_operator_that_dies_after_any_write_leaves_the_same_end(new_world, died):
    """Kill it after the k-th write, which is before the next, and start another: the same attempts and output."""
    whole = await life(new_world(), lambda number, when: None)
    assert len(whole.cluster.writes) > 15
    want = summary(whole)
    for k in range(len(whole.cluster.writes)):
        struck = []

        def strike(number, when, k=k, struck=struck):
            if not struck and number == k and when == "after":
                struck.append(k)
                raise died(f"at write {k}")

        world = await life(new_world(), strike)
        assert struck == [k]
        assert summary(world) == want


async def life(world, fault):
    """A job that fails once, is suspended once, and succeeds."""
    world.cluster.fault = fault
    key = world.add_job()
    await world.complete(await world.to_running())
    await world.sweep()
    train = await world.to_running()
    await world.report(train, activity="step", step=10, checkpoint={"step": 10, "path": "train/c"})
    world.fail(train)
    await world.sweep()
    await world.advance(60)
    train = await world.to_running()
    world.edit(key, runPolicy={"suspend": True})
    await world.settle()
    world.fail(train, outcome="stopped")
    await world.sweep()
    world.edit(key, runPolicy={"suspend": False})
    await world.complete(await world.to_running())
    await world.sweep()
    return world


def summary(world):
    (status,) = [world.status(key) for key in world.store.job_keys()]
    attempts = [(a.number, a.stage, a.outcome, a.ray_job) for a in status.attempts]
    rest = [m["kind"] for m in world.cluster.objects.values()]
    return status.phase, attempts, status.restarts, status.restart_budget.spent, status.output.digest, sorted(rest)
