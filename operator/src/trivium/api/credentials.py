"""Secrets that a job names: typed, few, and opted in by their name's prefix."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from trivium.api.block import Block, LabelName
from trivium.api.rules import Rule


class Credential(Block):
    """One key of one Secret of the job's namespace, mounted as a file for the sources that name it."""

    name: LabelName
    """The name that `credential` fields of this job refer to."""
    secret: Annotated[str, Field(max_length=253, pattern=r"^trivium-[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """The Secret. Its name must start with `trivium-`: so it opts in, and no other Secret can be named."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
    """Key inside the Secret. For the hub: a token. For a uri: a JSON object with the fsspec storage options."""


def _known(source: str) -> str:
    """CEL: the credentials that a source names are listed in the spec."""

    def listed(field: str) -> str:
        return f"self.credentials.exists(known, known.name == {field})"

    return (
        f"(!has({source}.hub) || !has({source}.hub.credential) || {listed(f'{source}.hub.credential')})"
        f" && (!has({source}.credential) || {listed(f'{source}.credential')})"
    )


def _named(source: Any) -> Iterator[str]:
    """The credentials that a source names; nothing for an absent source."""
    if source is not None:
        hub = source.hub.credential if source.hub is not None else None
        yield from (name for name in (hub, source.credential) if name is not None)


def _all_listed(spec: Any, sources: list[Any]) -> bool:
    listed = {credential.name for credential in spec.credentials}
    return all(name in listed for source in sources for name in _named(source))


def _rule(place: str, cel: str, sources: Any) -> Rule:
    return Rule(
        name=f"credential-of-{place.rsplit('.', 1)[-1]}",
        cel=cel,
        message=f"{place} names a credential that spec.credentials does not list. Add it there, or correct the name.",
        holds=lambda spec: _all_listed(spec, sources(spec)),
        path=place,
    )


MODEL_CREDENTIALS = _rule(
    "model", f"!has(self.model.from) || ({_known('self.model.from')})", lambda spec: [spec.model.from_]
)
TRAIN_CREDENTIALS = _rule(
    "data.train",
    f"self.data.train.all(source, {_known('source.from')})",
    lambda spec: [source.from_ for source in spec.data.train],
)
EVALUATION_CREDENTIALS = _rule(
    "data.evaluation",
    f"!has(self.data.evaluation) || self.data.evaluation.all(source, {_known('source.from')})",
    lambda spec: [source.from_ for source in spec.data.evaluation or ()],
)
TOKENIZER_CREDENTIALS = _rule(
    "model.tokenizer",
    f"!has(self.model.tokenizer) || !has(self.model.tokenizer.from) || ({_known('self.model.tokenizer.from')})",
    lambda spec: [spec.model.tokenizer.from_] if spec.model.tokenizer is not None else [],
)
