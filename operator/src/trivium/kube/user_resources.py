"""The kinds that a person's command reads, and where the API server serves them."""

from dataclasses import dataclass

from trivium.api import GROUP, JOB_KINDS, VERSION, ComputeProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind at one version."""

    kind: str
    group_version: str
    """`v1`, or `<group>/<version>`."""
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None) -> str:
        """Of the list, in one namespace or in all."""
        root = "/apis/" if "/" in self.group_version else "/api/"
        inside = f"namespaces/{namespace}/" if self.namespaced and namespace else ""
        return f"{root}{self.group_version}/{inside}{self.plural}"


JOBS: dict[str, Resource] = {
    kind: Resource(kind=kind, group_version=f"{GROUP}/{VERSION}", plural=model.NAMES.plural)
    for kind, model in JOB_KINDS.items()
}
COMPUTE_PROFILE = Resource(
    kind="ComputeProfile",
    group_version=f"{GROUP}/{VERSION}",
    plural=ComputeProfile.NAMES.plural,
    namespaced=False,
)
RAY_JOB = Resource(kind="RayJob", group_version="ray.io/v1", plural="rayjobs")
# Served by every Kueue from 0.15 to 0.19.
WORKLOAD = Resource(kind="Workload", group_version="kueue.x-k8s.io/v1beta2", plural="workloads")
LOCAL_QUEUE = Resource(kind="LocalQueue", group_version="kueue.x-k8s.io/v1beta2", plural="localqueues")
POD = Resource(kind="Pod", group_version="v1", plural="pods")
# Of the core group: what is written through events.k8s.io is served there too, and can be selected by its object.
EVENT = Resource(kind="Event", group_version="v1", plural="events")
LEASE = Resource(kind="Lease", group_version="coordination.k8s.io/v1", plural="leases")
ENDPOINT_SLICE = Resource(kind="EndpointSlice", group_version="discovery.k8s.io/v1", plural="endpointslices")
VALIDATING_WEBHOOKS = Resource(
    kind="ValidatingWebhookConfiguration",
    group_version="admissionregistration.k8s.io/v1",
    plural="validatingwebhookconfigurations",
    namespaced=False,
)
MUTATING_WEBHOOKS = Resource(
    kind="MutatingWebhookConfiguration",
    group_version="admissionregistration.k8s.io/v1",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
)
