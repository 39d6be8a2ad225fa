"""Webhooks that must agree before a RayJob is created, and whether anything answers for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trivium.cli.why.facts import WebhookSeen
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import ForbiddenError, list_objects
from trivium.kube.user_resources import ENDPOINT_SLICE, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from trivium.ports import Manifest


async def see_webhooks(access: UserAccess) -> Sequence[WebhookSeen]:
    """Those with a Service; nothing where this person may not read them."""
    try:
        configurations = [
            *await list_objects(access, MUTATING_WEBHOOKS),
            *await list_objects(access, VALIDATING_WEBHOOKS),
        ]
    except ForbiddenError:
        return ()
    return [await _see(access, name, service) for name, service in judges_of_ray_jobs(configurations)]


def judges_of_ray_jobs(configurations: Iterable[Manifest]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Name and Service of each webhook without which no RayJob is created. Pure."""
    return [
        (str(webhook["name"]), webhook["clientConfig"]["service"])
        for configuration in configurations
        for webhook in configuration.get("webhooks") or ()
        if webhook.get("failurePolicy", "Fail") == "Fail"
        and webhook["clientConfig"].get("service")
        and any(_covers(rule) for rule in webhook.get("rules") or ())
    ]


def _covers(rule: Mapping[str, Any]) -> bool:
    wanted = (("apiGroups", "ray.io"), ("resources", "rayjobs"), ("operations", "CREATE"))
    return all({name, "*", "*/*"} & set(rule.get(part) or ()) for part, name in wanted)


async def _see(access: UserAccess, name: str, service: Mapping[str, Any]) -> WebhookSeen:
    labels = f"kubernetes.io/service-name={service['name']}"
    place = f"{service['namespace']}/{service['name']}"
    try:
        slices = await list_objects(access, ENDPOINT_SLICE, namespace=service["namespace"], labels=labels)
    except ForbiddenError:
        return WebhookSeen(name=name, service=place, ready=None)
    ready = any(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or ()
    )
    return WebhookSeen(name=name, service=place, ready=ready)
