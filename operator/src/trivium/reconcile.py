"""One pass over one job: gather, observe, decide, then record or act. Called by the controller, a key at a time.

    store ──gather──> raw ──observe──> observation ──decide──> decision ──> status differs? record it, and no more
                                                                          └> else act: delete, create, apply, prune

A pass that records does nothing else, so nothing exists that status did not name before, and nothing is deleted whose
ending status does not hold. Errors of the cluster leave through here; the controller tries again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from trivium.announce import announce
from trivium.api import Job, parse_job
from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import JobStatus
from trivium.api.validation import find_problems
from trivium.domain.conditions import Finding
from trivium.domain.decide import Decision, RunToMake, decide
from trivium.domain.observation import RawChildren, observe
from trivium.domain.retention import is_over
from trivium.domain.situation import Limits
from trivium.domain.status import refuse_spec
from trivium.domain.verdict import End, Rerun
from trivium.planner import StorePlanner
from trivium.ports import Cluster, ConflictError, Manifest, NotFoundError, ObjectKey, RefusedError
from trivium.render import AttemptInput
from trivium.render.config_maps import render_ca_bundle, render_run_config_map
from trivium.render.names import attempt_of
from trivium.render.network_policy import render_network_policy
from trivium.render.ray_job import render_ray_job
from trivium.store import PROFILE_KIND, Store, controller_uid, key_of, uid_of, upstream_of

_PRUNED_KINDS = ("ConfigMap", "NetworkPolicy")
"""Never RayJobs: they are deleted only by a named decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator was told at its start."""

    listening_since: datetime
    """When this process began to take in reports."""
    progress_url: str | None = None
    """Where trainers send their reports."""
    ca_pem: str | None = None
    """Certificate authority of that endpoint."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """A status write that succeeded."""

    old: JobStatus
    new: JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pass did."""

    recorded: bool = False
    """Status was written, or a RayJob made: the same key deserves another pass as soon as the store shows it."""
    next_look: datetime | None = None
    change: StatusChange | None = None


async def reconcile(key: ObjectKey, *, now: datetime, store: Store, cluster: Cluster, settings: Settings) -> Outcome:
    """One pass. Raises ClusterError for what is worth another pass, and for nothing else but bugs."""
    manifest = store.get(key)
    if manifest is None or not store.shows_last_write(key):
        return Outcome()  # the watch wakes the key again
    try:
        job = parse_job(manifest)
    except ValidationError as error:
        return await _refuse(manifest, error, now=now, store=store, cluster=cluster)
    raw = await gather(manifest, job, store=store, cluster=cluster, settings=settings)
    planner = StorePlanner(store)
    decision = _decide(job, raw, now=now, planner=planner, settings=settings)
    if isinstance(decision.verdict, End | Rerun):
        # An end cannot be taken back, and a watch that lost events shows a RayJob as it was long ago.
        raw = await confirm(raw, job, store=store, cluster=cluster)
        decision = _decide(job, raw, now=now, planner=planner, settings=settings)
    old = job.status or JobStatus()
    if decision.status == old:
        try:
            return await _act(manifest, decision, raw=raw, store=store, cluster=cluster, settings=settings)
        except RefusedError as error:
            raw = replace(raw, refusal=str(error))
            decision = _decide(job, raw, now=now, planner=planner, settings=settings)
    return await _record(manifest, old=old, new=decision.status, store=store, cluster=cluster)


def _decide(job: Job, raw: RawChildren, *, now: datetime, planner: StorePlanner, settings: Settings) -> Decision:
    return decide(job, observe(raw, job=job), now=now, planner=planner, limits=settings.limits)


async def gather(manifest: Manifest, job: Job, *, store: Store, cluster: Cluster, settings: Settings) -> RawChildren:
    """What is known around the job. Live only to confirm: the RayJob that status names and the store lacks."""
    uid, status = job.metadata.uid, job.status or JobStatus()
    ray_jobs, taken_by = store.owned_by(uid, "RayJob"), None
    last = status.attempts[-1] if status.attempts else None
    current = next((one for one in ray_jobs if last is not None and one["metadata"]["name"] == last.ray_job), None)
    if last is not None and current is None and not is_over(status):
        key = ObjectKey(kind="RayJob", namespace=job.metadata.namespace, name=last.ray_job)
        live = await _read_live(key, store=store, cluster=cluster)
        if live is not None and controller_uid(live) == uid:
            ray_jobs, current = (*ray_jobs, live), live
        elif live is not None:
            taken_by = "an object of another owner"
    upstream = upstream_of(manifest)
    return RawChildren(
        ray_jobs=ray_jobs,
        name_taken_by=taken_by,
        workloads=store.owned_by(uid_of(current), "Workload") if current is not None else (),
        evidence=store.evidence_of(uid_of(current)) if current is not None else (),
        report=store.report_of(uid, last.number) if last is not None else None,
        upstream=store.get(upstream) if upstream is not None else None,
        profiles=store.of_kind(PROFILE_KIND),
        listening_since=settings.listening_since,
    )


async def confirm(raw: RawChildren, job: Job, *, store: Store, cluster: Cluster) -> RawChildren:
    """The same with the RayJob of the last attempt as it is now, and with what Kueue thinks of it now."""
    last = job.status.attempts[-1] if job.status is not None and job.status.attempts else None
    if last is None:
        return raw
    key = ObjectKey(kind="RayJob", namespace=job.metadata.namespace, name=last.ray_job)
    live = await _read_live(key, store=store, cluster=cluster)
    others = tuple(one for one in raw.ray_jobs if one["metadata"]["name"] != last.ray_job)
    if live is None or controller_uid(live) != job.metadata.uid:
        return replace(raw, ray_jobs=others)
    known = store.owned_by(uid_of(live), "Workload")
    workloads = [await _read_live(key_of(one), store=store, cluster=cluster) for one in known]
    return replace(
        raw,
        ray_jobs=(*others, live),
        workloads=tuple(one for one in workloads if one is not None),
        evidence=store.evidence_of(uid_of(live)),
    )


async def _refuse(
    manifest: Manifest, error: ValidationError, *, now: datetime, store: Store, cluster: Cluster
) -> Outcome:
    """An invalid spec becomes a condition; what runs already goes on, for the API server has let it in."""
    problems = find_problems({part: value for part, value in manifest.items() if part != "status"})
    if not problems:
        raise error  # the status does not parse: ours alone to write, so a bug
    old = JobStatus.model_validate(manifest.get("status") or {})
    finding = Finding(
        type=ConditionType.ACCEPTED,
        status="False",
        reason=Reason.INVALID_SPEC,
        message="\n".join(str(problem) for problem in problems[:10]),
    )
    generation = int(manifest["metadata"].get("generation") or 0)
    new = refuse_spec(old, finding, generation=generation, now=now)
    if new == old:
        return Outcome()
    return await _record(manifest, old=old, new=new, store=store, cluster=cluster)


async def _record(manifest: Manifest, *, old: JobStatus, new: JobStatus, store: Store, cluster: Cluster) -> Outcome:
    """One PUT with the resourceVersion that the decision was made from; then say what changed."""
    body = {**manifest, "status": new.model_dump(mode="json", by_alias=True, exclude_none=True)}
    try:
        written = await cluster.replace_status(body)
    except NotFoundError:
        return Outcome()  # deleted meanwhile: the watch says so
    store.expect(written)
    await announce(cluster, key_of(manifest), uid=uid_of(manifest), old=old, new=new)
    return Outcome(recorded=True, change=StatusChange(old=old, new=new))


async def _act(
    manifest: Manifest,
    decision: Decision,
    *,
    raw: RawChildren,
    store: Store,
    cluster: Cluster,
    settings: Settings,
) -> Outcome:
    """Do what is recorded: delete, then create and apply, then prune."""
    namespace, uid = str(manifest["metadata"].get("namespace") or ""), uid_of(manifest)
    for one in decision.ray_jobs_to_delete:
        await cluster.delete(ObjectKey(kind="RayJob", namespace=namespace, name=one.name), uid=one.uid)
    made = False
    if decision.run is not None:
        attempt, exists = _attempt_input(decision.run, settings), {one["metadata"]["name"] for one in raw.ray_jobs}
        await _ensure_children(attempt, exists=exists, store=store, cluster=cluster)
        made = attempt.name not in exists  # the store has learned it, so its watch wakes nobody
    if decision.prune:
        await _prune(uid, decision, raw=raw, store=store, cluster=cluster)
    if decision.delete_job:
        await cluster.delete(key_of(manifest), uid=uid)
    return Outcome(recorded=made, next_look=decision.next_look)


def _attempt_input(run: RunToMake, settings: Settings) -> AttemptInput:
    return AttemptInput(
        job=run.job,
        stage=run.stage,
        run_number=run.number,
        plan=run.plan,
        profile=run.profile.spec,
        inspection=run.inspection,
        upstream=run.upstream,
        lineage=run.lineage,
        skips=run.skips,
        queue=run.queue,
        priority=run.priority,
        excluded_nodes=run.excluded_nodes,
        progress_url=settings.progress_url,
        ca_pem=settings.ca_pem,
    )


async def _ensure_children(attempt: AttemptInput, *, exists: set[str], store: Store, cluster: Cluster) -> None:
    """Everything before the RayJob, for its pods mount it; each only if it is not there as it should be.

    The RayJob and its RunConfig are rendered only to be created: most passes find both, and need neither.
    """
    uid, namespace = attempt.job.metadata.uid, attempt.job.metadata.namespace
    for applied in (render_ca_bundle(attempt), render_network_policy(attempt)):
        if applied is not None and not await _is_there(applied, store=store, cluster=cluster):
            with store.asking() as heard:
                store.learn(await cluster.apply(applied), heard=heard)
    run_config = ObjectKey(kind="ConfigMap", namespace=namespace, name=attempt.name)
    if store.get(run_config) is None and await _read_live(run_config, store=store, cluster=cluster) is None:
        await _create_once(render_run_config_map(attempt), uid=uid, store=store, cluster=cluster)
    if attempt.name not in exists:
        await _create_once(render_ray_job(attempt), uid=uid, store=store, cluster=cluster)


async def _is_there(wanted: Manifest, *, store: Store, cluster: Cluster) -> bool:
    """Whether an object is as it should be. The store may lag behind our own write, so a lack is confirmed live."""
    key = key_of(wanted)
    return covers(store.get(key), wanted) or covers(await _read_live(key, store=store, cluster=cluster), wanted)


async def _read_live(key: ObjectKey, *, store: Store, cluster: Cluster) -> Manifest | None:
    """The object now. The store learns it, so that the next pass does not see an older one."""
    with store.asking() as heard:
        live = await cluster.get(key)
        if live is not None:
            store.learn(live, heard=heard)
    return live


async def _create_once(manifest: Manifest, *, uid: str, store: Store, cluster: Cluster) -> None:
    """Create, or find that it was created before. Raises ConflictError if the name is another's, or still dying."""
    try:
        with store.asking() as heard:
            store.learn(await cluster.create(manifest), heard=heard)
    except ConflictError:
        live = await _read_live(key_of(manifest), store=store, cluster=cluster)
        if live is None or controller_uid(live) != uid or live["metadata"].get("deletionTimestamp"):
            raise


def covers(live: Any, want: Any) -> bool:
    """Whether a live object holds all that is wanted. The API server adds defaults; lists must agree in full."""
    if isinstance(want, Mapping):
        return isinstance(live, Mapping) and all(covers(live.get(key), value) for key, value in want.items())
    if isinstance(want, list | tuple):
        same = isinstance(live, list | tuple) and len(live) == len(want)
        return same and all(covers(one, other) for one, other in zip(live, want, strict=True))
    return bool(live == want)


async def _prune(uid: str, decision: Decision, *, raw: RawChildren, store: Store, cluster: Cluster) -> None:
    """Delete what belongs to attempts that are over, once their RayJobs are gone."""
    attempts = decision.status.attempts
    living = {attempt.run or attempt.number for attempt in attempts if attempt.ended_at is None}
    if any(one["metadata"]["name"] not in {a.ray_job for a in attempts if a.ended_at is None} for one in raw.ray_jobs):
        return
    for kind in _PRUNED_KINDS:
        for child in store.owned_by(uid, kind):
            run = attempt_of(child["metadata"].get("labels") or {})
            if run is not None and run[1] not in living and not child["metadata"].get("deletionTimestamp"):
                await cluster.delete(key_of(child), uid=uid_of(child))
