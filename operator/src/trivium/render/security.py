"""What every pod of ours may do: less than Pod Security Standards `restricted` allows.

The `rdma` profile adds IPC_LOCK, which no standard below `privileged` allows: a named choice of the platform team.
"""

from typing import Any, Literal

# Above 10,000, so that it is no user of a node (CKV_K8S_40). The image needs no entry for it: HOME and USER are set.
USER_ID = 10001


def pod_security() -> dict[str, Any]:
    """For `spec.securityContext` of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        # Claims and projected tokens become readable to the group; large volumes are walked once, not at each start.
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(security_profile: Literal["restricted", "rdma"] = "restricted") -> dict[str, Any]:
    """For `securityContext` of a container. Repeats the pod's: KubeRay copies this one alone to `wait-gcs-ready`."""
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if security_profile == "rdma":
        # RDMA registers memory with the network card, which pins it.
        capabilities["add"] = ["IPC_LOCK"]
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": capabilities,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
