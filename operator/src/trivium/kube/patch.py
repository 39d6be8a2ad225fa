"""Writes with a person's own rights: one field of a job, and a pod that lives for one errand."""

from collections.abc import Mapping
from typing import Any

from trivium.kube.served_kinds import ServedKind
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import request_object
from trivium.kube.user_resources import POD
from trivium.ports import NotFoundError

_FIELD_MANAGER = "kubectl-trivium"


async def patch_object(
    access: UserAccess, resource: ServedKind, *, namespace: str, name: str, change: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge `change` into an object; the object as it is then. Raises NotFoundError, RefusedError."""
    return await request_object(
        access,
        "PATCH",
        resource.path(namespace, name),
        query={"fieldManager": _FIELD_MANAGER},
        body=change,
        content_type="application/merge-patch+json",
    )


async def create_pod(access: UserAccess, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Create a pod; as the server keeps it. Raises RefusedError where quota or admission will not have it."""
    namespace = manifest["metadata"]["namespace"]
    query = {"fieldManager": _FIELD_MANAGER, "fieldValidation": "Strict"}
    return await request_object(access, "POST", POD.path(namespace), query=query, body=manifest)


async def delete_pod(access: UserAccess, *, namespace: str, name: str, uid: str) -> None:
    """Delete that very pod, without waiting for its grace; one that is gone counts as done."""
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
    try:
        await request_object(access, "DELETE", POD.path(namespace, name), body=body)
    except NotFoundError:
        return
