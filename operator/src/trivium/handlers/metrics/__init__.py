"""What Prometheus sees of the operator and of its jobs. Names and words: families."""

from trivium.handlers.metrics.jobs import JobFigures, read_jobs
from trivium.handlers.metrics.operator_metrics import OperatorMetrics
from trivium.handlers.metrics.server import MetricsServer

__all__ = ["JobFigures", "MetricsServer", "OperatorMetrics", "read_jobs"]
