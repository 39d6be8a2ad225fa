"""The kinds that the operator reads and writes, and where the API server serves them."""

from dataclasses import dataclass

from trivium.api import GROUP, JOB_KINDS, VERSION, ComputeProfile

CHILDREN = "app.kubernetes.io/managed-by=trivium"
"""Selects what this operator has rendered: of other pods, ConfigMaps and policies it need not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedKind:
    """One kind at one version."""

    kind: str
    group: str
    """Empty: the core group."""
    version: str
    plural: str
    namespaced: bool = True
    selector: str = ""
    """Label selector of lists and watches."""
    optional: bool = False
    """Whether its CustomResourceDefinition may be absent, which is no error."""

    @property
    def api_version(self) -> str:
        """As manifests say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", *, subresource: str = "") -> str:
        """Of one object, of a list in one namespace, or of a list in all."""
        root = "/apis/" if self.group else "/api/"
        inside = f"namespaces/{namespace}/" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{self.api_version}/{inside}{self.plural}{tail}"


_KINDS = (
    *(
        ServedKind(kind=kind, group=GROUP, version=VERSION, plural=model.NAMES.plural)
        for kind, model in JOB_KINDS.items()
    ),
    ServedKind(
        kind="ComputeProfile", group=GROUP, version=VERSION, plural=ComputeProfile.NAMES.plural, namespaced=False
    ),
    ServedKind(kind="RayJob", group="ray.io", version="v1", plural="rayjobs", selector=CHILDREN, optional=True),
    ServedKind(kind="RayCluster", group="ray.io", version="v1", plural="rayclusters", selector=CHILDREN, optional=True),
    # Served by every Kueue from 0.15 to 0.19. Kueue makes them, so they carry no label of ours.
    ServedKind(
        kind="Workload",
        group="kueue.x-k8s.io",
        version="v1beta2",
        plural="workloads",
        selector="kueue.x-k8s.io/job-uid",
        optional=True,
    ),
    ServedKind(kind="Pod", group="", version="v1", plural="pods", selector=CHILDREN),
    ServedKind(kind="ConfigMap", group="", version="v1", plural="configmaps", selector=CHILDREN),
    ServedKind(
        kind="NetworkPolicy", group="networking.k8s.io", version="v1", plural="networkpolicies", selector=CHILDREN
    ),
)
SERVED_KINDS = {one.kind: one for one in _KINDS}
LEASE = ServedKind(kind="Lease", group="coordination.k8s.io", version="v1", plural="leases")
"""Watched as a heartbeat: its holder renews it every two seconds."""
