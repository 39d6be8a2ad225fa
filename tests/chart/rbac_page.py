"""docs/reference/rbac.md, from the chart as Helm renders it: `python tests/chart/rbac_page.py [--check]`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "cluster"))

from testcluster.programs import binary  # noqa: E402 - the line above finds it, where pytest does not

PAGE = ROOT / "docs" / "reference" / "rbac.md"
INTRODUCTION = """# RBAC

Generated from the chart by `python tests/chart/rbac_page.py`. Do not edit.

What the chart grants for a release called `trivium` in the namespace `trivium-system`, with progress reports. The operator
has no right on Secrets, `pods/exec`, Roles, ServiceAccounts or Nodes, and no rule has a wildcard; a test reads every
rendered rule for that. [The security model](../security-model.md) says what each right is for.
"""
WHOLE = "## All namespaces\n\nThe default.\n"
NAMED = """## Named namespaces

With `namespaces: [tenant]`: Roles and nothing cluster-wide. Such an installation reads profiles from its values, and takes
no progress reports.
"""


def page() -> str:
    """Markdown."""
    whole = map(_role, _roles("--set", "progress.enabled=true"))
    named = map(_role, _roles("--set-json", 'namespaces=["tenant"]'))
    return "\n".join([INTRODUCTION, WHOLE, *whole, NAMED, *named])


def _roles(*values: str) -> list[dict[str, Any]]:
    command = [binary("helm"), "template", "trivium", ROOT / "charts" / "trivium", "--namespace", "trivium-system"]
    command += ["--set", "crds.enabled=false", *values]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [one for one in yaml.safe_load_all(text) if one and one["kind"] in ("Role", "ClusterRole")]


def _role(role: dict[str, Any]) -> str:
    metadata = role["metadata"]
    place = f" in `{metadata['namespace']}`" if "namespace" in metadata else ""
    bound = "the operator" if metadata["name"].startswith("trivium-operator") else _audience(metadata["labels"])
    lines = [
        f"### {role['kind']} `{metadata['name']}`{place}",
        "",
        f"For {bound}.",
        "",
        "| group | resources | verbs |",
    ]
    lines.append("| --- | --- | --- |")
    for rule in role["rules"]:
        group = ", ".join(name or "core" for name in rule["apiGroups"])
        named = f" named {', '.join(f'`{name}`' for name in rule['resourceNames'])}" if "resourceNames" in rule else ""
        lines.append(f"| {group} | {', '.join(rule['resources'])}{named} | {', '.join(rule['verbs'])} |")
    return "\n".join(lines) + "\n"


def _audience(labels: dict[str, str]) -> str:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    if not roles:
        return "nobody, until you bind it"
    return f"whoever has the cluster's role {' or '.join(roles)}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
