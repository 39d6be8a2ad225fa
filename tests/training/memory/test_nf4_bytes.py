"""What bitsandbytes keeps of a quantized matrix is what the planner counts for it."""

import pytest

from trivium.planning.zero_memory import NF4_BYTES

pytestmark = pytest.mark.slow


def test_nf4_with_double_quantization_takes_the_bytes_that_the_planner_counts():
    import torch
    from bitsandbytes.functional import quantize_4bit

    weight = torch.randn(1024, 1024)
    packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    scales = [packed, state.absmax, state.state2.absmax]
    stored = sum(tensor.numel() * tensor.element_size() for tensor in scales)
    assert stored == pytest.approx(NF4_BYTES * weight.numel(), rel=1e-6)
