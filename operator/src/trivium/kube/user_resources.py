"""The kinds that a person's command reads, and where the API server serves them."""

from trivium.api import JOB_KINDS
from trivium.kube.served_kinds import SERVED_KINDS, ServedKind

JOBS = {kind: SERVED_KINDS[kind] for kind in JOB_KINDS}
COMPUTE_PROFILE = SERVED_KINDS["ComputeProfile"]
RAY_JOB = SERVED_KINDS["RayJob"]
WORKLOAD = SERVED_KINDS["Workload"]
POD = SERVED_KINDS["Pod"]
LOCAL_QUEUE = ServedKind(kind="LocalQueue", group="kueue.x-k8s.io", version="v1beta2", plural="localqueues")
# Of the core group: what is written through events.k8s.io is served there too, and can be selected by its object.
EVENT = ServedKind(kind="Event", group="", version="v1", plural="events")
ENDPOINT_SLICE = ServedKind(kind="EndpointSlice", group="discovery.k8s.io", version="v1", plural="endpointslices")
VALIDATING_WEBHOOKS = ServedKind(
    kind="ValidatingWebhookConfiguration",
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingwebhookconfigurations",
    namespaced=False,
)
MUTATING_WEBHOOKS = ServedKind(
    kind="MutatingWebhookConfiguration",
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
)
