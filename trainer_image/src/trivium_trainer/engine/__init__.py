"""The training engine: our own loop directly on DeepSpeed engines (docs/adr/0001-own-loop-on-deepspeed.md)."""
