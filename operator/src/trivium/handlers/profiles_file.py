"""ComputeProfiles from a mounted file, for an installation that may not read the cluster's own."""

import hashlib
import json
from pathlib import Path
from typing import Any

from trivium.manifest_file import check, load_documents
from trivium.ports import Manifest
from trivium.store import PROFILE_KIND


class ProfilesFileError(Exception):
    """The file cannot be used; the message names place, value, rule and way out."""


def read_profiles(path: Path) -> tuple[dict[str, Any], ...]:
    """Every profile of the file, as the API server would return it. Raises ProfilesFileError.

    Their resourceVersion is made from their content: a changed file is another version to whoever compares.
    """
    verdicts = check(path)
    if verdicts:
        raise ProfilesFileError("\n".join(str(verdict) for verdict in verdicts))
    manifests = [document.manifest for document in load_documents(path)]
    strangers = [str(one.get("kind")) for one in manifests if one.get("kind") != PROFILE_KIND]
    if strangers:
        raise ProfilesFileError(f"{path}: kind: {strangers[0]}: only {PROFILE_KIND} belongs here. Take it out.")
    return tuple(_as_served(one) for one in manifests)


def _as_served(manifest: Manifest) -> dict[str, Any]:
    name = str(manifest["metadata"]["name"])
    content = hashlib.sha256(json.dumps(manifest.get("spec"), sort_keys=True, default=str).encode()).hexdigest()
    metadata = {"name": name, "uid": f"file-{name}", "resourceVersion": content[:16], "generation": 1}
    return {**manifest, "metadata": metadata}
