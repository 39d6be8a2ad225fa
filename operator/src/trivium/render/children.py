"""All children of an attempt. Called by reconcile with what is recorded in status, and with nothing else."""

from trivium.render.attempt import AttemptInput, Children
from trivium.render.config_maps import render_ca_bundle, render_run_config_map
from trivium.render.network_policy import render_network_policy
from trivium.render.ray_job import render_ray_job


def render_attempt(attempt: AttemptInput) -> Children:
    """Whole manifests. Raises ValueError where the attempt lacks what its stage needs."""
    return Children(
        ray_job=render_ray_job(attempt),
        run_config=render_run_config_map(attempt),
        network_policy=render_network_policy(attempt),
        ca_bundle=render_ca_bundle(attempt),
    )
