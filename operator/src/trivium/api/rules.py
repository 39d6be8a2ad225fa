"""A rule across fields: CEL for the API server, a predicate for Python, and one message, declared together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one block; `self` in the CEL text is the block. tests/contract/crds proves that both sides agree."""

    name: str
    """Unique in the API; names the rule in tests and in JSON output."""
    cel: str
    message: str
    """What the rule is and the way out; the API server and we put field and value before it."""
    holds: Callable[[Any], bool]
    explain: Callable[[Any], str] | None = None
    """The message with the block's own numbers. Not in CEL: joining numbers costs 100 times the budget there (1.36)."""
    path: str = ""
    """Field of the block that the verdict points to, in YAML's spelling; empty = the block itself."""

    def to_validation(self) -> dict[str, str]:
        """One entry of `x-kubernetes-validations`."""
        validation = {"rule": self.cel, "message": self.message}
        return validation | {"fieldPath": f".{self.path}"} if self.path else validation

    def text(self, block: Any) -> str:
        """What to say of a block that breaks the rule."""
        return self.explain(block) if self.explain is not None else self.message


def _count_given(block: Any, aliases: tuple[str, ...]) -> int:
    fields = type(block).model_fields
    given = {field.alias for name, field in fields.items() if getattr(block, name) is not None}
    return sum(alias in given for alias in aliases)


def _cel_count(aliases: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"has(self.{alias})" for alias in aliases) + "].filter(given, given).size()"


def exactly_one(name: str, *aliases: str) -> Rule:
    """A union whose member must be chosen."""
    message = f"Exactly one of {', '.join(aliases)} must be given. Keep the one you mean."
    return Rule(
        name=name,
        cel=f"{_cel_count(aliases)} == 1",
        # A union that will grow: today there is nothing to choose from.
        message=message
        if len(aliases) > 1
        else f"{aliases[0]} must be given. Write `{aliases[0]}: {{}}` for its defaults.",
        holds=lambda block: _count_given(block, aliases) == 1,
    )


def at_most_one(name: str, *aliases: str) -> Rule:
    """A union that may be left to the operator."""
    return Rule(
        name=name,
        cel=f"{_cel_count(aliases)} <= 1",
        message=f"At most one of {', '.join(aliases)} may be given. Remove the others.",
        holds=lambda block: _count_given(block, aliases) <= 1,
    )


def credential_needs_uri(name: str) -> Rule:
    """`credential` beside `hub` or `volume` would be ignored."""
    return Rule(
        name=name,
        cel="!has(self.credential) || has(self.uri)",
        message="credential belongs to uri. For the hub, set hub.credential; otherwise remove it.",
        holds=lambda source: source.credential is None or source.uri is not None,
        path="credential",
    )
