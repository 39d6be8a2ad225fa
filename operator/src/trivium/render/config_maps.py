"""The two ConfigMaps: what the trainer is told, and whom it may trust."""

import json

from trivium.render import paths
from trivium.render.attempt import AttemptInput, Manifest
from trivium.render.names import CA_BUNDLE_NAME, MANAGED_BY, MANAGER
from trivium.render.run_config import build_run_config


def render_run_config_map(attempt: AttemptInput) -> Manifest:
    """Immutable: what a run was started with cannot change under it."""
    config = build_run_config(attempt).model_dump(mode="json", by_alias=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": attempt.metadata(),
        "immutable": True,
        "data": {paths.RUN_CONFIG_KEY: json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n"},
    }


def render_ca_bundle(attempt: AttemptInput) -> Manifest | None:
    """One per namespace, owned by no job: the first one's end must not take it from the others."""
    if attempt.ca_pem is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CA_BUNDLE_NAME,
            "namespace": attempt.job.metadata.namespace,
            "labels": {MANAGED_BY: MANAGER},
        },
        "data": {paths.CA_KEY: attempt.ca_pem},
    }
