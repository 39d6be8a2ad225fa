"""Numbers as people read them in a terminal."""

from trivium.cli.job_view import JobView


def percent(step: int, total: int) -> int:
    """Whole percent, cut: 100 means done."""
    return 100 * step // total if total > 0 else 0


def steps(view: JobView) -> str:
    """`120/480`, `120`, or nothing before the first."""
    if view.total_steps:
        return f"{view.step}/{view.total_steps}"
    return str(view.step) if view.step else ""


def loss(value: float | None) -> str:
    """Four digits after the point, as in status."""
    return "" if value is None else f"{value:.4f}"


def rate(tokens_per_second: float | None) -> str:
    """`950`, `12.3k`, `1.2M` tokens a second."""
    if tokens_per_second is None:
        return ""
    for limit, suffix in ((1e6, "M"), (1e4, "k")):
        if tokens_per_second >= limit:
            return f"{tokens_per_second / (1e6 if suffix == 'M' else 1e3):.1f}{suffix}"
    return f"{tokens_per_second:.0f}"


def age(seconds: float) -> str:
    """As kubectl: `45s`, `12m`, `3h20m`, `2d4h`."""
    total = max(0, int(seconds))
    if total < 120:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 60:
        return f"{minutes}m"
    if hours < 24:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
