"""Objects for tools: what `kubectl get -o json|yaml` gives."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from trivium.cli.options import OutputFormat
from trivium.ports import Manifest


def print_objects(jobs: Sequence[Manifest], *, single: bool, output: OutputFormat) -> None:
    """The object, or a List; without the ownership that nobody reads."""
    plain = [
        {**job, "metadata": {name: value for name, value in job["metadata"].items() if name != "managedFields"}}
        for job in jobs
    ]
    value: Any = plain[0] if single else {"apiVersion": "v1", "kind": "List", "items": plain}
    if output is OutputFormat.JSON:
        print(json.dumps(value, indent=2))
        return
    import yaml  # noqa: PLC0415 - only this format needs it

    yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True, width=120)
