"""Who may talk to an attempt's pods, and to whom they may talk. Ray's bearer token is one shared secret: not enough.

In: the attempt's own pods; KubeRay to the dashboard; Prometheus to the metrics. KubeRay and Prometheus are known by the
labels that their charts give them, in any namespace; a namespace labelled trivium.dev/monitoring=true is let in too.
Out: the attempt's own pods; DNS; the operator's pods, for progress; and what the profile's policy.egress lists: HTTPS
to the world where it lists nothing, because hubs and object stores have no fixed addresses.
"""

from trivium.api.compute_profile import Egress
from trivium.render.attempt import AttemptInput, Manifest
from trivium.render.names import JOB_UID, RUN, STAGE

DASHBOARD_PORT = 8265
METRICS_PORT = 8080
MONITORING_LABEL = "trivium.dev/monitoring"
OPERATOR_NAME = "trivium"
"""Label app.kubernetes.io/name of the operator's pods, as the chart sets it."""
_DNS_PORT = 53
_ANY_NAMESPACE: Manifest = {}


def render_network_policy(attempt: AttemptInput) -> Manifest:
    """Selects the pods of this attempt alone, head, workers and submitter."""
    pods = {"matchLabels": {key: attempt.labels[key] for key in (JOB_UID, STAGE, RUN)}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": attempt.metadata(),
        "spec": {
            "podSelector": pods,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": pods}]},
                {"from": [_pods_named("kuberay-operator")], "ports": [_tcp(DASHBOARD_PORT)]},
                {
                    "from": [
                        _pods_named("prometheus"),
                        {"namespaceSelector": {"matchLabels": {MONITORING_LABEL: "true"}}},
                    ],
                    "ports": [_tcp(METRICS_PORT)],
                },
            ],
            "egress": [
                {"to": [{"podSelector": pods}]},
                # Anywhere: node-local caches and resolvers on hosts have no labels.
                {"ports": [{"protocol": "UDP", "port": _DNS_PORT}, _tcp(_DNS_PORT)]},
                # On any port: policies see the pod's, behind the Service, which the progress URL does not tell.
                *([{"to": [_pods_named(OPERATOR_NAME)]}] if attempt.progress_url is not None else []),
                *_to_the_world(attempt.profile.policy.egress),
            ],
        },
    }


def _to_the_world(allowed: tuple[Egress, ...]) -> list[Manifest]:
    return [
        {
            **({"to": [{"ipBlock": {"cidr": one.cidr}}]} if one.cidr is not None else {}),
            "ports": [_tcp(port) for port in one.ports],
        }
        for one in allowed or (Egress(),)
    ]


def _pods_named(name: str) -> Manifest:
    labels = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {"namespaceSelector": _ANY_NAMESPACE, "podSelector": labels}


def _tcp(port: int) -> Manifest:
    return {"protocol": "TCP", "port": port}
