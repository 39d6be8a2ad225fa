"""The DeepSpeed keys that the API lets a job set are keys that the trainer accepts."""

from trivium.api.parallelism import DeepSpeedOptions, ZeroOptions
from trivium_trainer.engine.deepspeed_config import ALLOWED_OVERRIDES


def test_the_trainer_accepts_every_deepspeed_key_of_the_api() -> None:
    top_level = set(DeepSpeedOptions.model_fields) - {"zero_optimization"}
    offered = top_level | {f"zero_optimization.{name}" for name in ZeroOptions.model_fields}
    assert len(offered) > 8
    assert offered <= ALLOWED_OVERRIDES
