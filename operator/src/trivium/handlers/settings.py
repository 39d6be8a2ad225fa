"""What the operator is told at its start: variables of the environment, as one frozen value."""

import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

PREFIX = "TRIVIUM_"
_SERVICE_LINK = re.compile(r".*_(SERVICE_(HOST|PORT)|PORT)(_[A-Z0-9_]+)?$")
"""What Kubernetes sets for each Service of the namespace, unless the pod says enableServiceLinks: false."""

_Port = Annotated[int, Field(ge=0, le=65_535)]


class SettingsError(Exception):
    """Settings that cannot be; the message names each variable, its value and the rule."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _own_identity() -> str:
    """The pod's name and a random part: a restarted container of the same pod is another process."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}-{secrets.token_hex(4)}"


class OperatorSettings(BaseModel):
    """Field `num_workers` is the variable TRIVIUM_NUM_WORKERS; its description is what the reference page prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Path | None = Field(None, description="A kubeconfig. Absent: the service account of this pod.")
    namespaces: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (), description="Namespaces to watch, separated by commas. Empty: all."
    )
    profiles_file: Path | None = Field(
        None,
        description="ComputeProfiles as YAML, instead of the cluster's. Wanted where namespaces are named.",
    )
    namespace: str = Field(
        "trivium-system", min_length=1, description="The operator's own namespace, of its Lease and its EndpointSlice."
    )
    lease_name: str = Field("trivium-operator", min_length=1, description="The Lease that decides which replica acts.")
    identity: str = Field(
        default_factory=_own_identity,
        min_length=1,
        description="The holder's name in the Lease, another one for every process. Absent: made from the pod's.",
    )
    num_workers: int = Field(16, ge=1, le=256, description="Jobs that are looked at at the same time.")
    probe_port: _Port = Field(8081, description="Port of /healthz and /readyz.")
    metrics_port: _Port = Field(8080, description="Port of /metrics.")
    intake_port: _Port = Field(8443, description="Port on which trainers' reports are taken.")
    progress_url: str | None = Field(
        None,
        pattern=r"^https://",
        description="Where trainers send their reports, over the Service below. Absent: no reports are taken.",
    )
    progress_service: str = Field(
        "trivium-progress", min_length=1, description="The Service whose EndpointSlice the acting replica writes."
    )
    pod_ip: str | None = Field(None, description="The address of this pod, for that EndpointSlice.")
    tls_folder: Path | None = Field(
        None, description="Folder with tls.crt, tls.key and ca.crt of that port; read anew when they change."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or text for people.")

    @model_validator(mode="after")
    def _named_namespaces_bring_their_profiles(self) -> "OperatorSettings":
        if self.namespaces and self.profiles_file is None:
            raise ValueError(
                f"{PREFIX}NAMESPACES needs {PREFIX}PROFILES_FILE: with rights in namespaces alone, the cluster's "
                "ComputeProfiles cannot be read. Name a file with yours."
            )
        return self

    @model_validator(mode="after")
    def _reports_travel_over_tls_to_this_pod(self) -> "OperatorSettings":
        if self.progress_url is not None and (self.tls_folder is None or self.pod_ip is None):
            raise ValueError(f"{PREFIX}PROGRESS_URL needs {PREFIX}TLS_FOLDER and {PREFIX}POD_IP. Set them, or none.")
        return self


def read_settings(environment: Mapping[str, str]) -> OperatorSettings:
    """From TRIVIUM_… variables; an empty one counts as absent. Raises SettingsError."""
    known = {f"{PREFIX}{name.upper()}": name for name in OperatorSettings.model_fields}
    ours = {name for name in environment if name.startswith(PREFIX)}
    unknown = sorted(name for name in ours - known.keys() if not _SERVICE_LINK.match(name))
    if unknown:
        raise SettingsError(f"{unknown[0]}: there is no such setting. There are {', '.join(sorted(known))}.")
    given = {known[name]: environment[name] for name in sorted(ours & known.keys()) if environment[name]}
    try:
        return OperatorSettings.model_validate(given)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_sentence(one["loc"], one["input"], one["msg"]) for one in error.errors())
        ) from None


def _sentence(location: tuple[int | str, ...], value: object, rule: str) -> str:
    if not location:
        return rule
    return f"{PREFIX}{str(location[0]).upper()}: {value}: {rule}."
