"""KubeRay and Kueue as pods, from the manifests inside their own Go modules and images of the binaries built from them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testcluster.control_plane import Plane
from testcluster.images import program_image
from testcluster.programs import binary, module_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Addon:
    """A controller that is installed by kustomize."""

    name: str
    """Also of its program and of the folder of its module."""
    module: str
    deployment: str
    namespace: str
    published_image: str
    """As the manifests name it."""
    has_namespace: bool
    """Whether its manifests bring the namespace."""
    container_patch: tuple[dict[str, Any], ...]
    """JSON patches of the Deployment: what a small machine needs."""
    left_out: tuple[dict[str, Any], ...] = ()
    """Objects of its manifests that are not applied."""

    @property
    def image(self) -> str:
        """Name of ours, with its tag."""
        return f"docker.io/test/{self.name}:1"


_CONTAINER = "/spec/template/spec/containers/0"


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": f"{_CONTAINER}/{path}", "value": value}


# Both publish their images for clusters of many cores: KubeRay may use a tenth of one, Kueue asks for half of one.
_SMALL = (
    _replace("resources", {"requests": {"cpu": "50m", "memory": "128Mi"}}),
    _replace("readinessProbe/initialDelaySeconds", 1),
    _replace("readinessProbe/periodSeconds", 1),
    _replace("imagePullPolicy", "IfNotPresent"),
)
KUBERAY = Addon(
    name="kuberay",
    module="github.com/ray-project/kuberay/ray-operator",
    deployment="kuberay-operator",
    namespace="kuberay-system",
    published_image="quay.io/kuberay/operator",
    has_namespace=False,
    container_patch=_SMALL,
)
KUEUE = Addon(
    name="kueue",
    module="sigs.k8s.io/kueue",
    deployment="kueue-controller-manager",
    namespace="kueue-system",
    published_image="us-central1-docker.pkg.dev/k8s-staging-images/kueue/kueue",
    has_namespace=True,
    container_patch=_SMALL,
    # Its extension API server wants an aggregation layer; registered but silent, it keeps namespaces from being deleted.
    left_out=tuple(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{version}.visibility.kueue.x-k8s.io"},
        }
        for version in ("v1beta1", "v1beta2")
    ),
)
# In this order: once Kueue's webhooks are known and do not answer yet, nobody's Deployments and pods are accepted.
ADDONS = (KUBERAY, KUEUE)


def addon_image(addon: Addon) -> Path:
    """The tar of its image, built if it is not there yet."""
    name = addon.image.removeprefix("docker.io/")
    return program_image(name, binary(addon.name), path="/manager", entrypoint=["/manager"])


def install(plane: Plane, addon: Addon, *, folder: Path) -> None:
    """Apply its manifests; its pod comes up when there is a node. Raises control_plane.KubectlError."""
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(_kustomization(addon, folder=folder)))
    if not addon.has_namespace:
        plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": addon.namespace}})
    plane.kubectl("apply", "--server-side", "-k", str(folder))


def wait_until_ready(plane: Plane, addon: Addon, *, seconds: int = 120) -> None:
    """Raises control_plane.KubectlError."""
    where = ["-n", addon.namespace, f"deployment/{addon.deployment}"]
    plane.kubectl("wait", "--for=condition=Available", f"--timeout={seconds}s", *where)


def _kustomization(addon: Addon, *, folder: Path) -> dict[str, Any]:
    manifests = module_folder(addon.name, addon.module) / "config" / "default"
    name, tag = addon.image.split(":")
    settings: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(manifests.resolve(), folder.resolve())],  # kustomize takes no absolute path
        "images": [{"name": addon.published_image, "newName": name, "newTag": tag}],
        "patches": [
            {
                "target": {"kind": "Deployment", "name": addon.deployment},
                "patch": yaml.safe_dump(list(addon.container_patch)),
            },
            *({"patch": yaml.safe_dump({**one, "$patch": "delete"})} for one in addon.left_out),
        ],
    }
    return settings if addon.has_namespace else settings | {"namespace": addon.namespace}
