"""The part of Kubernetes' ObjectMeta that we read. The API server validates it, so unknown fields are let through."""

from pydantic import ConfigDict, Field

from trivium.api.block import Block, SubdomainName, Timestamp


class ObjectMeta(Block):
    """Whose object this is."""

    model_config = ConfigDict(extra="ignore")

    name: SubdomainName
    namespace: str = Field(default="", max_length=63)
    """Empty for cluster-scoped kinds, and in a file that leaves it to kubectl."""
    uid: str = ""
    """Empty until the API server has seen the object."""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
