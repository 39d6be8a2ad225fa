"""What the four kinds share: group, version, names, printer columns."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from trivium.api.block import Block
from trivium.api.metadata import ObjectMeta

GROUP = "trivium.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "trivium"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterColumn:
    """One column of `kubectl get`."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    description: str
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceNames:
    """How kubectl calls a kind."""

    kind: str
    plural: str
    singular: str
    short_name: str
    scope: Literal["Namespaced", "Cluster"] = "Namespaced"


class Resource(Block):
    """The root of a kind."""

    NAMES: ClassVar[ResourceNames]
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]]

    api_version: Literal["trivium.dev/v1alpha1"] = "trivium.dev/v1alpha1"
    metadata: ObjectMeta
