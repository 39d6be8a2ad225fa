"""`trivium crds`: the CustomResourceDefinitions, for `kubectl apply --server-side -f -`."""


def crds() -> None:
    """Print the CustomResourceDefinitions of this version as YAML."""
    from trivium.api.generate.crd import crd  # noqa: PLC0415 - loaded when the command runs, not for --help
    from trivium.api.generate.yaml_text import to_yaml  # noqa: PLC0415 - not for --help
    from trivium.api.validation import KINDS  # noqa: PLC0415 - not for --help

    for resource in KINDS.values():
        print(f"---\n{to_yaml(crd(resource))}", end="")
