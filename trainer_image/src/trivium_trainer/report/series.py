"""Long series made short enough to draw: smoothing and downsampling, both deterministic."""

import math
from collections.abc import Sequence
from statistics import fmean

Point = tuple[float, float]
Points = tuple[Point, ...]

MAX_POINTS = 600
"""More than a chart of 400 units can show, and six hundred points a line keep a chain of jobs under 2 MB."""


def finite(points: Sequence[Point]) -> Points:
    """Without NaN and infinities: a diverged loss leaves a gap, and the page says so elsewhere."""
    return tuple((x, y) for x, y in points if math.isfinite(x) and math.isfinite(y))


def smooth(points: Sequence[Point]) -> Points:
    """Exponential moving average over about 2 % of the series, bias-corrected so that it starts at the first value.

    Source of the correction: Kingma & Ba, arXiv 1412.6980, section 3.
    """
    keep = 1 - 1 / max(1.0, len(points) / 50)
    mean, weight, result = 0.0, 0.0, []
    for x, y in points:
        mean = keep * mean + (1 - keep) * y
        weight = keep * weight + (1 - keep)
        result.append((x, mean / weight))
    return tuple(result)


def downsample(points: Sequence[Point], limit: int = MAX_POINTS) -> Points:
    """At most `limit` of the points, keeping the first, the last and the shape: Largest-Triangle-Three-Buckets.

    Source: Steinarsson, "Downsampling Time Series for Visual Representation", University of Iceland, 2013.
    """
    if len(points) <= limit:
        return tuple(points)
    bucket_count = limit - 2
    edges = [1 + index * (len(points) - 2) // bucket_count for index in range(bucket_count + 1)]
    kept = [points[0]]
    for index in range(bucket_count):
        bucket = points[edges[index] : edges[index + 1]]
        following = points[edges[index + 1] : edges[index + 2]] if index + 2 < len(edges) else points[-1:]
        kept.append(_largest_triangle(kept[-1], bucket, following))
    return (*kept, points[-1])


def _largest_triangle(previous: Point, bucket: Sequence[Point], following: Sequence[Point]) -> Point:
    """The bucket's point that spans the largest triangle with the point kept before and the next bucket's mean."""
    next_x, next_y = fmean(x for x, _ in following), fmean(y for _, y in following)
    left_x, left_y = previous

    def area(point: Point) -> float:
        return abs((left_x - next_x) * (point[1] - left_y) - (left_x - point[0]) * (next_y - left_y))

    return max(bucket, key=area)
