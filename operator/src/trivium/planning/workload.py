"""What a job will hold in memory, from its spec and from what `prepare` inspected."""

from collections.abc import Mapping
from typing import Any

from trivium.api import ComputeProfile, Job, PreferenceJob, PretrainJob
from trivium.api.adapter import ALL_LINEAR
from trivium.api.inspection import Inspection
from trivium.api.model import PretrainModel
from trivium.api.parallelism import ZeroOptions
from trivium.planning.architecture import Architecture, UnknownShapeError, read_architecture
from trivium.planning.defaults import sequences_per_sample
from trivium.planning.demand import BUCKET_ELEMENTS, MAX_LIVE_PARAMETERS, SUB_GROUP_ELEMENTS, Workload
from trivium.planning.parameters import ParameterCount, count_adapter, count_parameters
from trivium.planning.precision import Precision
from trivium.planning.presets import PRESET_CONFIGS
from trivium.planning.refusal import PlanError


def known_architecture(
    job: Job, *, inspection: Inspection | None, model_config: Mapping[str, Any] | None = None
) -> Architecture | None:
    """The inspected architecture, a config.json that somebody found, or what a job from scratch writes out; None if it
    is not known yet.
    """
    if inspection is not None:
        return _read(inspection.architecture, field="spec.model")
    if model_config is not None:
        return _read(model_config, field="spec.model")
    written = written_config(job.spec.model) if isinstance(job, PretrainJob) else None
    return None if written is None else _read(written, field="spec.model.architecture")


def written_config(model: PretrainModel) -> Mapping[str, Any] | None:
    """The config of a model from scratch, as far as the job says it; None if a size is left to transformers' defaults,
    which only prepare knows. Raises PlanError for an unknown preset.
    """
    written, tokenizer = model.architecture, model.tokenizer
    if written is None:
        return None
    vocabulary = tokenizer.train.vocab_size if tokenizer is not None and tokenizer.train is not None else None
    if written.preset is not None:
        known = PRESET_CONFIGS.get(written.preset)
        if known is None:
            raise PlanError(
                "spec.model.architecture.preset",
                f"{written.preset} is not a preset",
                f"Use one of {', '.join(PRESET_CONFIGS)}, or write architecture.config.",
            )
        return {**known, "vocab_size": vocabulary or known["vocab_size"]}
    assert written.config is not None, "the rule architecture-union leaves preset or config"
    config: dict[str, Any] = written.config.model_dump(by_alias=True)
    if "vocab_size" not in config and vocabulary is not None:
        config["vocab_size"] = vocabulary
    needed = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"}
    return config if needed <= config.keys() else None


def _read(config: Mapping[str, Any], *, field: str) -> Architecture:
    try:
        return read_architecture(config)
    except UnknownShapeError as error:
        raise PlanError(
            field, str(error), "Use a decoder-only transformer such as llama, qwen3, mistral, gemma3_text or gpt2."
        ) from error


def parameter_count(
    job: Job, *, architecture: Architecture | None, inspection: Inspection | None
) -> ParameterCount | None:
    """Counted by the architecture, with prepare's total where there is one; else the job's hint; else None."""
    if architecture is None:
        hint = job.spec.model.parameters
        if hint is None:
            return None
        total = hint.to_int()
        return ParameterCount(total=total, embedding=0, active=total, largest_layer=0)
    count = count_parameters(architecture)
    if inspection is None or inspection.parameters == count.total:
        return count
    # A family that we do not know by heart: prepare counted the weights themselves, so its total holds.
    return ParameterCount(
        total=inspection.parameters,
        embedding=count.embedding,
        active=max(1, inspection.parameters - (count.total - count.active)),
        largest_layer=max(1, (inspection.parameters - count.embedding) // architecture.num_layers),
    )


def trainable_parameters(
    job: Job, *, architecture: Architecture | None, parameters: ParameterCount, added_tokens: int = 0
) -> int:
    """The adapter's parameters with the embedding's rows of added tokens, or all. Before the architecture is known an
    adapter counts as nothing.
    """
    if job.spec.adapter is None:
        return parameters.total
    if architecture is None:
        return 0
    lora = job.spec.adapter.lora
    targets = lora.target_modules
    if architecture.experts and ALL_LINEAR in targets:
        raise PlanError(
            "spec.adapter.lora.targetModules",
            "all-linear on a mixture of experts would adapt fused experts and the router",
            "Name the attention's modules: targetModules: [q_proj, k_proj, v_proj, o_proj].",
        )
    wanted = "all-linear" if ALL_LINEAR in targets else targets
    try:
        # The names of a family that we do not know are the trainer's to judge; all-linear is the most they can be.
        adapter = count_adapter(
            architecture, rank=lora.rank, target_modules=wanted if architecture.known_family else "all-linear"
        )
    except ValueError as error:
        raise PlanError("spec.adapter.lora.targetModules", str(error), "Name some of these, or all-linear.") from error
    return adapter + added_tokens * architecture.hidden_size


def has_live_reference(job: Job) -> bool:
    """Whether a reference runs beside the model in training."""
    if not isinstance(job, PreferenceJob):
        return False
    dpo = job.spec.method.dpo
    return dpo is not None and dpo.reference == "live"


def build_workload(
    job: Job,
    *,
    profile: ComputeProfile,
    precision: Precision,
    architecture: Architecture | None,
    parameters: ParameterCount,
    inspection: Inspection | None,
) -> Workload:
    """Everything about memory that does not depend on the number of ranks."""
    adapter = job.spec.adapter
    zero = job.spec.parallelism.deepspeed.zero_optimization or ZeroOptions()
    return Workload(
        architecture=architecture,
        parameters=parameters,
        trainable=trainable_parameters(
            job,
            architecture=architecture,
            parameters=parameters,
            added_tokens=inspection.added_tokens if inspection else 0,
        ),
        element_bytes=precision.element_bytes,
        max_length=inspection.max_length if inspection else job.spec.data.max_length,
        sequences_per_sample=sequences_per_sample(job),
        attention=precision.attention,
        adapter_rank=adapter.lora.rank if adapter else 0,
        quantized=adapter is not None and adapter.quantization == "nf4",
        # With an adapter the reference is the same model with the adapter switched off.
        reference_copy=has_live_reference(job) and adapter is None,
        offload=job.spec.parallelism.offload,
        gpu=profile.spec.gpu is not None,
        packing=inspection.packing if inspection else isinstance(job, PretrainJob),
        live_reference=has_live_reference(job),
        bucket_elements=zero.reduce_bucket_size or BUCKET_ELEMENTS,
        max_live_parameters=zero.stage3_max_live_parameters or MAX_LIVE_PARAMETERS,
        sub_group_elements=zero.sub_group_size or SUB_GROUP_ELEMENTS,
    )
