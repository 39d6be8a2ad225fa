"""A small YAML writer: block style, every string quoted as JSON quotes it. So the API layer needs no YAML library."""

import json
from typing import Any


def to_yaml(value: Any) -> str:
    """The value as a YAML document. Keys keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(f"{_key(key)}:", item)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    text = json.dumps(value, ensure_ascii=False)
    # YAML 1.1 reads 1e-08 as a string: a float needs its dot.
    return [text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text]


def _entry(prefix: str, item: Any) -> list[str]:
    lines = _lines(item)
    if isinstance(item, dict | list) and item:
        return [prefix, *(f"  {line}" for line in lines)]
    return [f"{prefix} {lines[0]}"]


def _item(item: Any) -> list[str]:
    first, *rest = _lines(item)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and not key[0].isdigit() else json.dumps(key)
