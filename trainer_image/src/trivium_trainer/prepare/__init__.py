"""Stage `prepare`: from sources to memory-mapped sequences, once per job, on CPU."""

from trivium_trainer.prepare.run import run_prepare

__all__ = ["run_prepare"]
