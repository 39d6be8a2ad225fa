"""The profile's affinity, and below it the nodes that a job keeps away from."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

HOSTNAME = "kubernetes.io/hostname"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def keep_away(affinity: Mapping[str, Any], nodes: Sequence[str]) -> dict[str, Any]:
    """The affinity of a pod that may run on none of `nodes`; the platform's own terms all stay in force.

    Terms of a node affinity are alternatives, so each of them gets the exclusion.
    """
    merged: dict[str, Any] = copy.deepcopy(dict(affinity))
    if not nodes:
        return merged
    exclusion = {"key": HOSTNAME, "operator": "NotIn", "values": list(nodes)}
    required = merged.setdefault("nodeAffinity", {}).setdefault(_REQUIRED, {})
    terms = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), exclusion]} for term in terms
    ]
    return merged
