"""A small YAML writer: block style, every string quoted as JSON quotes it. So the API layer needs no YAML library."""

import json
import re
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""What YAML 1.1 would read as something else than a string."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(value: Any) -> str:
    """The value as a YAML document. Keys keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(f"{_key(key)}:", item)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    if isinstance(value, str):
        return [_quoted(value)]
    text = json.dumps(value)
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
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS else _quoted(key)


def _quoted(text: str) -> str:
    # JSON is YAML but for this: YAML refuses control characters, and reads no pairs of surrogates.
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
