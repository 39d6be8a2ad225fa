"""CustomResourceDefinitions, as plain dicts, from the models."""

import copy
from typing import Any

from trivium.api.mutability import CHANGE_KEY, Change
from trivium.api.resource import CATEGORY, GROUP, VERSION, PrinterColumn, Resource
from trivium.api.structural import Schema, structural_schema, unclassified_fields


class UnclassifiedFieldError(Exception):
    """A spec field does not say whether it may be changed once the job is planned."""


def crd(resource: type[Resource]) -> dict[str, Any]:
    """The CRD of one kind. Raises UnclassifiedFieldError."""
    names = resource.NAMES
    schema = copy.deepcopy(structural_schema(resource))
    # Jobs have a status and belong to `kubectl get trivium`; a profile has neither.
    has_status = "status" in schema["properties"]
    if has_status:
        schema["x-kubernetes-validations"] = _transition_rules(resource)
    _settle_changes(schema)
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [_column(column) for column in resource.COLUMNS],
    }
    if has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": names.kind,
                "listKind": f"{names.kind}List",
                "plural": names.plural,
                "singular": names.singular,
                "shortNames": [names.short_name],
                **({"categories": [CATEGORY]} if has_status else {}),
            },
            "scope": names.scope,
            "conversion": {"strategy": "None"},
            "versions": [version],
        },
    }


def _column(column: PrinterColumn) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }
    # kubectl shows priority 0 always and the rest with -o wide.
    return shown | {"priority": 1} if column.wide else shown


def _transition_rules(resource: type[Resource]) -> list[dict[str, str]]:
    """One rule for each immutable field: unchanged from the moment `status.plan` exists.

    They sit on the root, the only place that sees both spec and status, and the root holds no other rules.
    """
    missing = unclassified_fields(resource)
    if missing:
        raise UnclassifiedFieldError(f"{', '.join(missing)}: no class of change. Annotate it with mutability.Change.")
    return _unchanged(structural_schema(resource)["properties"]["spec"], "spec")


def _unchanged(block: Schema, path: str) -> list[dict[str, str]]:
    rules: list[dict[str, str]] = []
    always_there = set(block.get("required", ()))
    for name, child in block["properties"].items():
        field = f"{path}.{name}"
        if child[CHANGE_KEY] == Change.BY_FIELD.name:
            # A default at every level down to the field, so that CEL needs no has() on the way.
            assert isinstance(child["default"], dict), field
            rules += _unchanged(child, field)
        elif child[CHANGE_KEY] == Change.NEVER.name:
            optional = name not in always_there and "default" not in child
            rules.append(
                {
                    "rule": f"!has(oldSelf.status) || !has(oldSelf.status.plan) || {_equal(field, optional=optional)}",
                    "message": f"{field} is immutable once the job is planned. Create a new job instead.",
                    "fieldPath": f".{field}",
                }
            )
    return rules


def _equal(field: str, *, optional: bool) -> str:
    same = f"self.{field} == oldSelf.{field}"
    if not optional:
        return same
    return f"(has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same}))"


def _settle_changes(schema: Schema) -> None:
    """Turn classes of change into a sentence of the description."""
    change = schema.pop(CHANGE_KEY, None)
    if change and Change[change].value:
        schema["description"] = f"{schema.get('description', '')} {Change[change].value}".strip()
    for child in schema.get("properties", {}).values():
        _settle_changes(child)
