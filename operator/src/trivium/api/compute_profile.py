"""ComputeProfile: everything about pods, written by the platform team; tenants only name it."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Block, QueueName, RelativePath, SubdomainName
from trivium.api.quantity import Quantity
from trivium.api.resource import PrinterColumn, Resource, ResourceNames
from trivium.api.rules import Rule

ResourceName = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*$")
]
ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]
Environment = Annotated[
    dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=4096)]], Field(max_length=64)
]


class ProfileRuns(Block):
    """The claim in which the jobs of this profile write, unless they name one of their own."""

    claim_name: SubdomainName
    """A ReadWriteMany claim of this name in each namespace that uses the profile."""
    path: RelativePath | None = None
    """Folder inside the claim; absent: its root."""


class ProfileStorage(Block):
    """Where jobs that name no storage write."""

    runs: ProfileRuns
    """The claim for run directories."""


class Resources(Block):
    """What one pod asks for; requests and limits are the same."""

    cpu: Quantity
    """Cores, e.g. `16` or `200m`."""
    memory: Quantity
    """Memory in bytes, e.g. `200Gi`."""
    ephemeral_storage: Quantity | None = None
    """Local disk in bytes, e.g. `500Gi`."""


class PeakTflops(Block):
    """Peak dense TFLOPS of one GPU, by precision."""

    bfloat16: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """In bfloat16."""
    float32: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """In float32."""


class Gpu(Block):
    """The GPUs of a worker."""

    resource: ResourceName = "nvidia.com/gpu"
    """Name of the extended resource."""
    memory: Quantity
    """Memory of one GPU, as the planner may count on it."""
    peak_tflops: PeakTflops = Field(default=PeakTflops(), alias="peakTFLOPS")
    """Peak dense TFLOPS, for estimated time and MFU. Absent: neither is shown."""
    per_node: Annotated[int, Field(ge=1, le=64)] = 8
    """GPUs of a node: the default of gpusPerWorker."""


def _environment_names(name: str) -> Rule:
    return Rule(
        name=name,
        cel=f"self.environment.all(name, name.matches('{ENVIRONMENT_NAME}'))",
        message="A variable's name consists of letters, digits and underscores. Rename it.",
        holds=lambda block: all(re.fullmatch(ENVIRONMENT_NAME, key) for key in block.environment),
        path="environment",
    )


def _default_is_allowed(name: str) -> Rule:
    return Rule(
        name=name,
        cel="!has(self.default) || self.default in self.allowed",
        message="default is not among allowed. Add it there, or choose one of them.",
        holds=lambda block: block.default is None or block.default in block.allowed,
        path="default",
    )


class Network(Block):
    """Devices for RDMA."""

    RULES: ClassVar[tuple[Rule, ...]] = (_environment_names("network-environment"),)

    resource: ResourceName
    """Name of the extended resource, e.g. `rdma/hca`."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many each worker asks for."""
    environment: Environment = {}
    """Variables for NCCL, e.g. `NCCL_IB_HCA: mlx5`."""


class Toleration(Block):
    """A taint that the pods accept, as in a pod's spec."""

    key: Annotated[str, Field(max_length=317)] | None = None
    """Key of the taint; absent: any."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Exists ignores the value."""
    value: LabelValue | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; absent: all."""
    toleration_seconds: Annotated[int, Field(ge=0, le=315_360_000)] | None = None
    """For NoExecute: how long the pod stays."""


class ProfileQueue(Block):
    """Kueue LocalQueues that jobs of this profile may wait in. Each namespace that uses the profile has its own."""

    RULES: ClassVar[tuple[Rule, ...]] = (_default_is_allowed("queue-default"),)

    allowed: Annotated[tuple[QueueName, ...], Field(min_length=1, max_length=64)]
    """Names of LocalQueues."""
    default: QueueName | None = None
    """The one for jobs that name none. Absent: such jobs are refused, with a condition that says so."""


class ProfilePriority(Block):
    """Kueue WorkloadPriorityClasses that jobs of this profile may ask for."""

    RULES: ClassVar[tuple[Rule, ...]] = (_default_is_allowed("priority-default"),)

    allowed: Annotated[tuple[QueueName, ...], Field(min_length=1, max_length=64)]
    """Names of WorkloadPriorityClasses."""
    default: QueueName | None = None
    """The one for jobs that name none. Absent: none is asked for."""


class Pod(Block):
    """What every pod of the profile gets."""

    RULES: ClassVar[tuple[Rule, ...]] = (_environment_names("pod-environment"),)

    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Taints that the pods accept."""
    affinity: dict[str, Any] = {}
    """A pod's affinity, as Kubernetes defines it."""
    runtime_class_name: SubdomainName | None = None
    """RuntimeClass of the pods."""
    priority_class_name: SubdomainName | None = None
    """PriorityClass of the pods."""
    image_pull_secrets: Annotated[tuple[SubdomainName, ...], Field(max_length=8)] = ()
    """Names of pull secrets; each must exist in the namespaces that use the profile."""
    environment: Environment = {}
    """Variables of every container."""
    cache_claim: SubdomainName | None = None
    """A claim for the hub's cache, shared by the jobs of a namespace; absent: an empty folder per pod."""


class Egress(Block):
    """A place that the pods of a job may open connections to."""

    cidr: Annotated[str, Field(min_length=3, max_length=64, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")] | None = None
    """Addresses, e.g. `10.20.0.0/16`; absent: all."""
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], Field(min_length=1, max_length=16)] = (443,)
    """TCP ports."""


class Policy(Block):
    """The platform's yes and no."""

    trust_remote_code: bool = False
    """Whether jobs may run code from model repositories."""
    uri_schemes: Annotated[
        tuple[Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z0-9+.-]*$")], ...], Field(max_length=16)
    ] = ()
    """Schemes that a `uri` may have, e.g. `s3`. Empty: no uri at all."""
    egress: Annotated[tuple[Egress, ...], Field(max_length=32)] = ()
    """Where pods may connect to besides each other, DNS and the operator: an object store in the cluster, a proxy.
    Empty: port 443 of all addresses.
    """


class ComputeProfileSpec(Block):
    """What the pods of a job look like."""

    default: bool = False
    """Used by jobs that name no profile. With two such profiles, a job that names none is refused."""
    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][^\s]*$")]
    """The trainer's image; with a digest, so that a job's image cannot change under it."""
    ray_version: Annotated[str, Field(max_length=32, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    """Version of Ray inside the image."""
    trainer_version: Literal["v1alpha1"] = "v1alpha1"
    """Version of the RunConfig that the image reads."""
    storage: ProfileStorage | None = None
    """Where jobs that name no storage write. Absent: every job must name one."""
    prepare_profile: SubdomainName | None = None
    """Profile for stages that need no GPU. Absent: this one."""
    features: Annotated[
        tuple[Literal["flash-attention-2", "liger", "bitsandbytes", "compiled-ops"], ...], Field(max_length=16)
    ] = ()
    """What the image has."""
    head: Resources = Resources(cpu=Quantity("4"), memory=Quantity("16Gi"))
    """The pod of Ray's head, which runs the driver."""
    submitter: Resources = Resources(cpu=Quantity("200m"), memory=Quantity("256Mi"))
    """The pod that submits the job to Ray."""
    worker: Resources
    """One worker pod."""
    gpu: Gpu | None = None
    """The GPUs of a worker. Absent: training on CPU."""
    network: Network | None = None
    """Devices for RDMA. Absent: plain TCP."""
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """What a pod gets to save in, when its node goes."""
    policy: Policy = Policy()
    """The platform's yes and no."""
    price_per_gpu_hour: Annotated[float, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, alias="pricePerGPUHour"
    )
    """For the estimated cost, in the platform's currency."""
    queue: ProfileQueue | None = None
    """Kueue queues. Absent: jobs of this profile start at once, and may name none."""
    priority: ProfilePriority | None = None
    """Kueue priorities; they count in a queue alone."""
    security_profile: Literal["restricted", "rdma"] = "restricted"
    """restricted: the Pod Security Standard. rdma: the same plus the capability IPC_LOCK."""
    pod: Pod = Pod()
    """What every pod gets."""


class ComputeProfile(Resource):
    """A kind of machine that jobs may run on, and how their pods look there."""

    NAMES: ClassVar[ResourceNames] = ResourceNames(
        kind="ComputeProfile", plural="computeprofiles", singular="computeprofile", short_name="prof", scope="Cluster"
    )
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn(
            name="Default", json_path=".spec.default", type="boolean", description="Used by jobs that name no profile"
        ),
        PrinterColumn(name="GPU memory", json_path=".spec.gpu.memory", description="Memory of one GPU"),
        PrinterColumn(name="GPUs/node", json_path=".spec.gpu.perNode", type="integer", description="GPUs of a node"),
        PrinterColumn(name="Ray", json_path=".spec.rayVersion", description="Version of Ray"),
        PrinterColumn(
            name="Age", json_path=".metadata.creationTimestamp", type="date", description="Time since the creation"
        ),
        PrinterColumn(name="Image", json_path=".spec.image", description="The trainer's image", wide=True),
    )

    kind: Literal["ComputeProfile"] = "ComputeProfile"
    spec: ComputeProfileSpec
    """What the pods look like."""
