"""What the planner says of a case."""

from collections.abc import Mapping
from dataclasses import replace

from benchmarks.memory.case import Case
from benchmarks.memory.models import model_config
from trivium.planning.architecture import read_architecture
from trivium.planning.memory import MemoryBreakdown, Workload, memory_by_moment
from trivium.planning.parameters import count_adapter, count_parameters


def workload_of(case: Case) -> Workload:
    """The case in the planner's terms."""
    architecture = read_architecture(model_config(case.model))
    parameters = count_parameters(architecture)
    rank = case.adapter_rank
    return Workload(
        architecture=architecture,
        parameters=parameters,
        trainable=count_adapter(architecture, rank=rank, target_modules="all-linear") if rank else parameters.total,
        element_bytes=2 if case.dtype == "bfloat16" else 4,
        max_length=case.max_length,
        sequences_per_sample=2 if case.recipe == "dpo" else 1,
        attention=case.attention,
        adapter_rank=rank,
        quantized=False,
        reference_copy=case.recipe == "dpo" and not rank,
        offload="none",
        gpu=case.gpu,
        packing=case.packing,
        live_reference=case.recipe == "dpo",
        bucket_elements=case.bucket_elements,
    )


def predict(case: Case) -> Mapping[str, MemoryBreakdown]:
    """One rank's memory at each moment; the reserve is no tensor and compares with nothing."""
    moments = memory_by_moment(
        workload_of(case),
        zero_stage=case.zero_stage,
        world_size=case.world_size,
        micro_batch=case.micro_batch,
        checkpointing=case.checkpointing,
        available=0,
        accumulates=case.accumulation > 1,
    )
    return {name: replace(moment, reserve=0) for name, moment in moments.items()}
