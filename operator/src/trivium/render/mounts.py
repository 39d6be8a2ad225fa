"""What the Ray pods mount, and where. RunConfig's paths and the pods' volumes both come from here."""

from collections.abc import Iterator
from dataclasses import dataclass

from trivium.api import Job, PretrainJob
from trivium.api.data import DataSource
from trivium.api.storage import VolumeSource
from trivium.render import paths
from trivium.render.attempt import AttemptInput, Manifest
from trivium.render.names import CA_BUNDLE_NAME, token_audience

# The kubelet renews a projected token at four fifths of its life; an hour is Kubernetes' own default.
TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One volume at one place."""

    source: Manifest
    """The volume without its name; equal sources become one volume of the pod."""
    path: str
    read_only: bool = True


def ray_mounts(attempt: AttemptInput) -> tuple[Mount, ...]:
    """Everything that the head and the workers see. The submitter sees none of it."""
    return (
        Mount(source={"emptyDir": {}}, path=paths.TEMPORARY, read_only=False),
        Mount(source={"emptyDir": {}}, path=paths.SCRATCH, read_only=False),
        Mount(source={"configMap": {"name": attempt.name}}, path=paths.CONFIG),
        *_claims(attempt),
        *_data(attempt.job),
        *_credentials(attempt.job),
        *_progress(attempt),
    )


def _claims(attempt: AttemptInput) -> Iterator[Mount]:
    plan, job = attempt.plan, attempt.job
    assert plan.runs is not None, "the planner resolves the runs claim of every plan"
    yield Mount(source=_claim(plan.runs.claim_name), path=paths.RUNS, read_only=False)
    model = job.spec.model.from_
    if model is not None and model.volume is not None:
        yield Mount(source=_claim(model.volume.claim_name), path=paths.MODEL)
    tokenizer = tokenizer_volume(job)
    if tokenizer is not None:
        yield Mount(source=_claim(tokenizer.claim_name), path=paths.TOKENIZER)
    if attempt.upstream is not None:
        yield Mount(source=_claim(attempt.upstream.claim_name), path=paths.UPSTREAM)
    if attempt.profile.pod.cache_claim is not None:
        yield Mount(source=_claim(attempt.profile.pod.cache_claim), path=paths.CACHE, read_only=False)


def tokenizer_volume(job: Job) -> VolumeSource | None:
    """The claim that a model from scratch takes its tokenizer from."""
    tokenizer = job.spec.model.tokenizer if isinstance(job, PretrainJob) else None
    return None if tokenizer is None or tokenizer.from_ is None else tokenizer.from_.volume


def data_sources(job: Job) -> tuple[DataSource, ...]:
    """Every source, training first."""
    return (*job.spec.data.train, *(job.spec.data.evaluation or ()))


def data_mount_path(job: Job, source: DataSource) -> str:
    """Where a claim or ConfigMap of data is mounted: one place each, however many sources it holds."""
    mounted = [_data_volume(one) for one in data_sources(job)]
    order = list(dict.fromkeys(str(volume) for volume in mounted if volume is not None))
    return f"{paths.DATA}/{order.index(str(_data_volume(source)))}"


def _data(job: Job) -> Iterator[Mount]:
    seen = set()
    for source in data_sources(job):
        volume = _data_volume(source)
        if volume is not None and str(volume) not in seen:
            seen.add(str(volume))
            yield Mount(source=volume, path=data_mount_path(job, source))


def _data_volume(source: DataSource) -> Manifest | None:
    if source.from_.volume is not None:
        return _claim(source.from_.volume.claim_name)
    if source.from_.config_map is not None:
        return {"configMap": {"name": source.from_.config_map.name}}
    return None


def _credentials(job: Job) -> Iterator[Mount]:
    sources = [
        {"secret": {"name": one.secret, "items": [{"key": one.key, "path": one.name}]}} for one in job.spec.credentials
    ]
    if sources:
        yield Mount(source={"projected": {"defaultMode": 0o440, "sources": sources}}, path=paths.CREDENTIALS)


def _progress(attempt: AttemptInput) -> Iterator[Mount]:
    if attempt.progress_url is None:
        return
    audience = token_audience(attempt.job.metadata.uid)
    token = {"serviceAccountToken": {"audience": audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    yield Mount(source={"projected": {"defaultMode": 0o440, "sources": [token]}}, path=paths.TOKEN)
    if attempt.ca_pem is not None:
        yield Mount(source={"configMap": {"name": CA_BUNDLE_NAME}}, path=paths.CA)


def _claim(name: str) -> Manifest:
    return {"persistentVolumeClaim": {"claimName": name}}


def pod_volumes(mounts: tuple[Mount, ...]) -> tuple[list[Manifest], list[Manifest]]:
    """(volumes, volumeMounts) of a pod; a claim that is mounted twice is one volume."""
    names: dict[str, str] = {}
    volumes, volume_mounts = [], []
    for mount in mounts:
        # Two empty folders are two volumes, two uses of a claim are one.
        key = mount.path if "emptyDir" in mount.source else str(mount.source)
        if key not in names:
            names[key] = f"{_kind_of(mount)}-{len(names)}"
            volumes.append({"name": names[key], **mount.source})
        volume_mounts.append(
            {"name": names[key], "mountPath": mount.path, **({"readOnly": True} if mount.read_only else {})}
        )
    return volumes, volume_mounts


def _kind_of(mount: Mount) -> str:
    return {"emptyDir": "scratch", "configMap": "config", "persistentVolumeClaim": "claim", "projected": "secret"}[
        next(iter(mount.source))
    ]
