"""From a plan to whole manifests. Pure: the same attempt gives the same bytes, here and after an operator's restart."""

from trivium.render.attempt import AttemptInput, Children, Manifest, name_of_run
from trivium.render.children import render_attempt
from trivium.render.spec_digest import spec_digest

__all__ = ["AttemptInput", "Children", "Manifest", "name_of_run", "render_attempt", "spec_digest"]
