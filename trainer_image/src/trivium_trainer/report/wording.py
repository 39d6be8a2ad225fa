"""Numbers as people read them. Every figure on the page passes through here, so equal things look equal."""

import math
from datetime import UTC, datetime

from trivium_trainer.config import SkipWindow

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
"""Shown where there is no value."""


def count(value: float | None) -> str:
    """1,029 · 58,682 · 2.56 M · 7.2 G"""
    if value is None or not math.isfinite(value):
        return NONE
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= limit:
            return f"{_trim(_significant(value / limit, 3))}{THIN}{unit}"
    return f"{round(value):,}".replace("-", MINUS)


def figure(value: float | None, digits: int = 4) -> str:
    """A measured value with `digits` significant digits, zeros kept: 8.340 · 0.6931 · 4,233 · 2e-5."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        mantissa, exponent = f"{value:.{max(0, digits - 2)}e}".split("e")
        return f"{_trim(mantissa)}e{int(exponent)}".replace("-", MINUS)
    return _significant(value, digits).replace("-", MINUS)


def mean(value: float | None) -> str:
    """A mean of whole things, to a tenth: 26 · 7.3"""
    return NONE if value is None else _trim(f"{value:.1f}")


def perplexity(value: float | None) -> str:
    """4,233 · 59.2 · 3.41"""
    return figure(value, 3)


def perplexity_of(recipe: str) -> str:
    """What a held-out perplexity is measured on: all tokens, the answers', or the chosen answers'."""
    words = {"sft": "Held-out answer perplexity", "dpo": "Perplexity of held-out chosen answers"}
    return words.get(recipe, "Held-out perplexity")


def percent(fraction: float | None) -> str:
    """86 % · 99.6 %: a digit more only near the ends, where it says something."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    value = 100 * fraction
    near_an_end = 0 < value < 1 or 99 < value < 100
    return f"{value:.1f}{THIN}%" if near_an_end else f"{value:.0f}{THIN}%"


def duration(seconds: float | None) -> str:
    """0.4 s · 42 s · 6 min 12 s · 3 h 05 min · 2 d 4 h"""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 10:
        return f"{_trim(f'{seconds:.1f}')}{THIN}s"
    total = round(seconds)
    if total < 60:
        return f"{total}{THIN}s"
    if total < 3600:
        return f"{total // 60}{THIN}min {total % 60:02d}{THIN}s"
    if total < 86400:
        return f"{total // 3600}{THIN}h {total % 3600 // 60:02d}{THIN}min"
    return f"{total // 86400}{THIN}d {total % 86400 // 3600}{THIN}h"


def size(num_bytes: float | None) -> str:
    """Binary units, as Kubernetes counts memory: 512 B · 30.8 MiB · 71.2 GiB"""
    if num_bytes is None or not math.isfinite(num_bytes):
        return NONE
    value, units = float(num_bytes), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(value) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{_trim(_significant(value, 3))}{THIN}{units[0]}"


def moment(unix_seconds: float) -> str:
    """2026-11-23 14:32:07 UTC; the report carries no time zone of its reader."""
    try:
        return datetime.fromtimestamp(unix_seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return NONE


def change(before: float | None, after: float | None) -> str:
    """By how much a lower-is-better figure moved: `71.5-fold lower`, `12 % lower`, `4 % higher`, `unchanged`."""
    if (
        before is None
        or after is None
        or not (math.isfinite(before) and math.isfinite(after))
        or min(before, after) <= 0
    ):
        return ""
    low, high = sorted((before, after))
    word = "lower" if after < before else "higher"
    if high / low >= 2:
        return f"{_trim(_significant(high / low, 3))}-fold {word}"
    moved = abs(after - before) / before
    return "unchanged" if moved < 0.0005 else f"{percent(moved)} {word}"


def plural(number: int, noun: str) -> str:
    """1 restart · 3 restarts"""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def describe_skip(window: SkipWindow) -> str:
    """Data steps 51 to 100, going on from the checkpoint of step 40"""
    last = window.data_step + window.steps - 1
    which = f"data step {last:,}" if window.steps == 1 else f"data steps {window.data_step:,} to {last:,}"
    start = f"the checkpoint of step {window.rollback_to:,}" if window.rollback_to else "the beginning"
    return f"{which}, going on from {start}"


def _significant(value: float, digits: int) -> str:
    """Fixed notation; digits before the point are never dropped."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    decimals = max(0, digits - 1 - magnitude)
    return f"{value:,.{decimals}f}"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
