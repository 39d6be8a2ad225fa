"""Defaults that depend on the kind and on whether an adapter is trained."""

from trivium.api import Job, PretrainJob, SFTJob

# (full fine-tuning, adapter). TRL's values for SFT and DPO; pre-training with an adapter has no default by the API.
_LEARNING_RATES = {"PretrainJob": (3e-4, None), "SFTJob": (2e-5, 2e-4), "PreferenceJob": (1e-6, 1e-5)}
_EPOCHS = {"SFTJob": 3.0, "PreferenceJob": 1.0}


def learning_rate(job: Job) -> float:
    """The peak learning rate, given or by kind."""
    given = job.spec.optimization.learning_rate
    if given is not None:
        return given
    full, adapter = _LEARNING_RATES[job.kind]
    rate = full if job.spec.adapter is None else adapter
    assert rate is not None, "the rule pretrain-adapter asks for a learning rate"
    return rate


def epochs(job: Job) -> float | None:
    """Passes over the data; None where the length is said in steps or tokens."""
    wanted = job.spec.optimization
    if wanted.epochs is not None or wanted.steps is not None or wanted.tokens is not None:
        return wanted.epochs
    return _EPOCHS[job.kind]


def sequences_per_sample(job: Job) -> int:
    """Sequences that one sample of the global batch puts through the model: a pair is two."""
    return 1 if isinstance(job, PretrainJob | SFTJob) else 2
