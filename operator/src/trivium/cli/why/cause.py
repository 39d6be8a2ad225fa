"""One answer to "why does my job not run?"."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is so, what helps, and what to type next."""

    code: str
    """One word in PascalCase, stable: for tools."""
    says: str
    remedy: str
    who: Literal["nobody", "you", "platform"]
    """Whose turn it is. nobody: it goes on by itself."""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One station of the way."""

    name: str
    state: Literal["passed", "stopped", "not reached", "unknown"]
    note: str = ""
