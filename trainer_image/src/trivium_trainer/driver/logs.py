"""One format for every line a run prints: UTC time, level, who, what."""

import logging
import sys
import time


def configure_logging(who: str) -> logging.Logger:
    """Send our log to standard output, as `who` ("driver", "rank 0"). Libraries speak only in warnings."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)s [{who}] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    log = logging.getLogger("trivium_trainer")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    return log
