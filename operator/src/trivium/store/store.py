"""What the watches last said, as a whole: the only thing a pass reads, besides live confirmation.

Filled by whoever watches (handlers/ from Kopf's events, local/ from its own objects) and by `replace` after a full
list, because a watch emits no DELETED for what vanished while it was broken. Nothing here awaits or does IO.

    PretrainJob, SFTJob, PreferenceJob <─owner── RayJob <─owner── RayCluster <─owner── Pod (as evidence)
                                       │          <─label── Workload (Kueue's)
                                       <─owner── ConfigMap, NetworkPolicy
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime

from trivium.domain.pod_evidence import PodEvidence, merge_evidence, read_pod_evidence
from trivium.domain.report import ProgressReport, ReportSnapshot, follow_up
from trivium.ports import Manifest, ObjectKey
from trivium.store.manifest import (
    JOB_KINDS,
    PROFILE_KIND,
    controller_uid,
    is_at_least,
    is_final,
    key_of,
    owner_uid,
    uid_of,
    upstream_of,
    version_of,
)
from trivium.store.projection import project, says_nothing_new, upstream_view


class Store:
    """Not thread-safe: it lives on the event loop of the controller."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, Manifest] = {}
        self._kinds: defaultdict[str, set[ObjectKey]] = defaultdict(set)
        """The same keys by kind: no pass may look through everything to find a few."""
        self._owned: defaultdict[str, set[ObjectKey]] = defaultdict(set)
        self._dependents: defaultdict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._controllers: dict[str, str] = {}
        """uid of a RayJob or RayCluster -> uid of its controller; outlives the object, for its pods' last news."""
        self._controlled: defaultdict[str, set[str]] = defaultdict(set)
        """The same the other way round."""
        self._job_keys: dict[str, ObjectKey] = {}
        """uid of a job -> its key."""
        self._ended: set[ObjectKey] = set()
        """Jobs whose status says when they ended."""
        self._evidence: defaultdict[str, dict[str, PodEvidence]] = defaultdict(dict)
        """uid of a pod's controller -> the pod's uid -> what it said."""
        self._expected: dict[ObjectKey, str] = {}
        self._reports: dict[tuple[str, int], ReportSnapshot] = {}
        self._questions: dict[object, set[str]] = {}
        """For each answer that is awaited, the uids that a watch told of meanwhile; two such sets are often equal."""

    # What a pass reads

    def get(self, key: ObjectKey) -> Manifest | None:
        """The object as last seen."""
        return self._objects.get(key)

    def job_key(self, uid: str) -> ObjectKey | None:
        """The key of the job with this uid."""
        return self._job_keys.get(uid)

    def of_kind(self, *kinds: str) -> tuple[Manifest, ...]:
        """All objects of these kinds, in the order of their keys."""
        return tuple(self._objects[key] for kind in sorted(kinds) for key in sorted(self._kinds[kind]))

    def job_keys(self) -> tuple[ObjectKey, ...]:
        """Every job, for a resync."""
        return tuple(sorted(self._job_keys.values()))

    def ended_jobs(self) -> tuple[Manifest, ...]:
        """Jobs that are over, in the order of their keys: a plan learns from them, and need not look at all others."""
        return tuple(self._objects[key] for key in sorted(self._ended))

    def owned_by(self, uid: str, kind: str) -> tuple[Manifest, ...]:
        """Objects of a kind whose controller has this uid; Workloads of the RayJob with this uid."""
        return tuple(self._objects[key] for key in sorted(self._owned.get(uid, ())) if key.kind == kind)

    def dependents_of(self, key: ObjectKey) -> frozenset[ObjectKey]:
        """Jobs whose `model.from.job` names this one."""
        return frozenset(self._dependents.get(key, ()))

    def evidence_of(self, ray_job_uid: str) -> tuple[PodEvidence, ...]:
        """What the pods of a RayJob's clusters said, deleted ones included while the job lives."""
        clusters = sorted(self._controlled.get(ray_job_uid, ()))
        return tuple(e for uid in clusters for _, e in sorted(self._evidence.get(uid, {}).items()))

    def report_of(self, job_uid: str, attempt: int) -> ReportSnapshot | None:
        """The newest report of one attempt since this process started."""
        return self._reports.get((job_uid, attempt))

    # Our own writes

    def expect(self, written: Manifest) -> None:
        """Remember what a status write of ours returned; the key waits until the watch has shown it."""
        key, version = key_of(written), version_of(written)
        if not is_at_least(self._objects.get(key), version):
            self._expected[key] = version

    def shows_last_write(self, key: ObjectKey) -> bool:
        """Whether a pass over this key would see its own last write."""
        return key not in self._expected

    # What fills it

    def put_report(self, job_uid: str, attempt: int, report: ProgressReport, *, now: datetime) -> ReportSnapshot:
        """Keep a report if it is the newest of its attempt; drop those of the job's earlier attempts."""
        for known in [known for known in self._reports if known[0] == job_uid and known[1] < attempt]:
            del self._reports[known]
        snapshot = follow_up(self._reports.get((job_uid, attempt)), report, now=now)
        self._reports[job_uid, attempt] = snapshot
        return snapshot

    def learn(self, manifest: Manifest, *, heard: AbstractSet[str]) -> None:
        """Take in what was read live, or what a write returned: the watch may be older, and must not take it back."""
        if uid_of(manifest) not in heard:
            self._put(manifest)

    @contextmanager
    def asking(self) -> Iterator[AbstractSet[str]]:
        """While an answer is awaited; yields what `replace` and `learn` have to know of the time meanwhile."""
        question = object()
        heard = self._questions[question] = set()
        try:
            yield heard
        finally:
            del self._questions[question]

    def apply_event(self, event_type: str | None, manifest: Manifest) -> frozenset[ObjectKey]:
        """Take in one watch event (ADDED, MODIFIED, DELETED; None = listed). Returns the jobs to look at."""
        for heard in self._questions.values():
            heard.add(uid_of(manifest))
        if event_type == "DELETED":
            return self._remove(manifest)
        return self._put(manifest)

    def replace(
        self, kind: str, manifests: Sequence[Manifest], *, heard: AbstractSet[str] = frozenset()
    ) -> frozenset[ObjectKey]:
        """Take in a full list of one kind: what it lacks is gone. Returns the jobs to look at.

        `heard`: uids that a watch told of since the list was asked for. The watch knows better of them: what began to
        exist meanwhile is not gone, and what was deleted meanwhile does not come back.
        """
        touched: set[ObjectKey] = set()
        if kind == "Pod":
            self._bury_unlisted({uid_of(pod) for pod in manifests} | heard)
        listed = {key_of(manifest) for manifest in manifests}
        for key in sorted(self._kinds[kind] - listed):
            if uid_of(self._objects[key]) not in heard:
                touched |= self._remove(self._objects[key])
        for manifest in manifests:
            if uid_of(manifest) not in heard:
                touched |= self._put(manifest)
        return frozenset(touched)

    def _put(self, manifest: Manifest) -> frozenset[ObjectKey]:
        if manifest["kind"] == "Pod":
            return self._put_pod(manifest)
        if manifest["kind"] == "Workload" and owner_uid(manifest) is None:
            return frozenset()  # of another framework's job
        key = key_of(manifest)
        old = self._objects.get(key)
        if old is not None and uid_of(old) != uid_of(manifest):
            self._remove(old)
            old = None
        if old is not None and is_at_least(old, version_of(manifest)):
            return frozenset()
        new = project(manifest)
        self._objects[key] = new
        self._kinds[key.kind].add(key)
        self._index(key, new)
        if key in self._expected and is_at_least(new, self._expected[key]):
            del self._expected[key]
        if key.kind == "Workload" and says_nothing_new(old, new):
            return frozenset()
        return self._touched_by(key, old, new)

    def _index(self, key: ObjectKey, manifest: Manifest) -> None:
        owner = owner_uid(manifest)
        if owner is not None:
            self._owned[owner].add(key)
            if key.kind in ("RayJob", "RayCluster"):
                self._controllers[uid_of(manifest)] = owner
                self._controlled[owner].add(uid_of(manifest))
        if key.kind in JOB_KINDS:
            self._job_keys[uid_of(manifest)] = key
            ended = bool((manifest.get("status") or {}).get("endedAt"))
            (self._ended.add if ended else self._ended.discard)(key)
        upstream = upstream_of(manifest) if key.kind in JOB_KINDS else None
        if upstream is not None:
            self._dependents[upstream].add(key)

    def _put_pod(self, pod: Manifest) -> frozenset[ObjectKey]:
        owner = controller_uid(pod)
        if owner is None:
            return frozenset()
        known, news = self._evidence[owner].get(uid_of(pod)), read_pod_evidence(pod)
        merged = news if known is None else merge_evidence(known, news)
        self._evidence[owner][uid_of(pod)] = merged
        return frozenset() if merged == known else self._job_of_uid(owner)

    def _remove(self, manifest: Manifest) -> frozenset[ObjectKey]:
        key = key_of(manifest)
        if key.kind == "Pod":
            return self._remove_pod(manifest)
        old = self._objects.get(key)
        if old is None or uid_of(old) != uid_of(manifest):
            return frozenset()  # news of a predecessor with the same name
        touched = self._touched_by(key, old, None)
        del self._objects[key]
        self._kinds[key.kind].discard(key)
        self._expected.pop(key, None)
        self._ended.discard(key)
        owner = owner_uid(old)
        if owner is not None:
            self._owned[owner].discard(key)
        upstream = upstream_of(old) if key.kind in JOB_KINDS else None
        if upstream is not None:
            self._dependents[upstream].discard(key)
        if key.kind in JOB_KINDS:
            self._forget_job(uid_of(old))
        return touched

    def _remove_pod(self, pod: Manifest) -> frozenset[ObjectKey]:
        # The last state of a deleted pod is the one that tells how it ended.
        touched = self._put_pod(pod)
        pods = self._evidence.get(controller_uid(pod) or "", {})
        _bury(pods, uid_of(pod))
        return touched

    def _bury_unlisted(self, listed: set[str]) -> None:
        for pods in self._evidence.values():
            for uid in [uid for uid in pods if uid not in listed]:
                _bury(pods, uid)

    def _forget_job(self, job_uid: str) -> None:
        self._job_keys.pop(job_uid, None)
        for known in [known for known in self._reports if known[0] == job_uid]:
            del self._reports[known]
        ray_jobs = self._controlled.pop(job_uid, set())
        clusters = {cluster for uid in ray_jobs for cluster in self._controlled.pop(uid, set())}
        for uid in ray_jobs | clusters:
            self._controllers.pop(uid, None)
            self._evidence.pop(uid, None)

    # Who is woken

    def _touched_by(self, key: ObjectKey, old: Manifest | None, new: Manifest | None) -> frozenset[ObjectKey]:
        if key.kind in JOB_KINDS:
            dependents = self.dependents_of(key) if upstream_view(old) != upstream_view(new) else frozenset()
            return dependents | {key}
        if key.kind in (PROFILE_KIND, "Namespace"):
            return frozenset(k for k in self.job_keys() if not is_final(self._objects[k]))
        known = new or old
        owner = owner_uid(known) if known is not None else None
        return self._job_of_uid(owner) if owner is not None else frozenset()

    def _job_of_uid(self, uid: str) -> frozenset[ObjectKey]:
        """The job at the end of a chain of controllers; empty if a link has not been seen yet."""
        while uid in self._controllers:
            uid = self._controllers[uid]
        key = self._job_keys.get(uid)
        return frozenset() if key is None else frozenset({key})


def _bury(pods: dict[str, PodEvidence], uid: str) -> None:
    """Keep of a deleted pod how it ended, and drop what it waited for."""
    evidence = pods.pop(uid, None)
    remains = evidence and evidence.after_deletion()
    if remains and remains.is_trouble:
        pods[uid] = remains
