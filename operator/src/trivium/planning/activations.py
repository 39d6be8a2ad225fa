"""Bytes that one rank keeps between forward and backward: layer activations and logits, per micro-batch.

Counted tensor by tensor as autograd saves them in transformers 5.23 and torch 2.13. Tests compare with
`saved_tensors_hooks` layer by layer and with torch's MemTracker over whole steps (docs/planning-errors.md).
"""

from dataclasses import dataclass

from trivium.planning.architecture import Architecture

# NewGELUActivation is written in elementwise operations and saves an intermediate for nearly each; a fused GELU or SiLU
# saves its input and its output. In units of the intermediate size, output of the up projection included.
_GELU_NEW_COPIES = 5.5
_FUSED_ACTIVATION_COPIES = 2
_GATED_COPIES = 4  # gate, act(gate), up, their product

_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationBytes:
    """Of one micro-batch. Units: bytes."""

    kept: int
    """In the layers, from forward to backward: everything, or with checkpointing their inputs."""
    tail: int
    """Behind the last layer: gone once the output layer is differentiated."""
    recomputed: int
    """One layer computed again, and the gradients inside it while its backward pass runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsBytes:
    """Of one micro-batch. Units: bytes."""

    loss: int
    """At most, while the loss is computed and differentiated."""
    backward: int
    """Their gradient in the model's dtype, while the output layer's own gradient is computed."""


def layer_bytes_per_token(
    a: Architecture,
    *,
    element_bytes: int,
    max_length: int,
    attention: str,
    adapter_rank: int = 0,
    masked: bool = False,
    float32_adapter: bool = False,
) -> float:
    """What one decoder layer saves for one token. Units: bytes.

    `attention` is flash_attention_2, sdpa or eager; only eager keeps the [heads, length, length] scores. `masked`: the
    batch is packed or padded, so sdpa is given a mask.
    """
    norms = a.norms_per_layer * _norm_bytes(a, element_bytes=element_bytes, frozen=adapter_rank > 0)
    query_key = 0
    if a.query_key_norm != "none":
        # Input (as float32) and normalized value; the rotated output is counted with the attention's inputs.
        query_key = (a.query_size + a.key_value_size) * (_FLOAT32_BYTES + element_bytes)
    mlp = _mlp_copies(a) * _mlp_width(a) * element_bytes + _routing_bytes(a, element_bytes=element_bytes)
    attention_bytes = _attention_bytes(
        a, element_bytes=element_bytes, max_length=max_length, attention=attention, masked=masked
    )
    adapted = len(a.linears()) * adapter_rank * element_bytes
    if float32_adapter:
        # PEFT casts the input of each adapted matrix to the adapter's type, and saves the cast one.
        adapted += _FLOAT32_BYTES * sum(module.inputs for module in a.linears() if not module.routed)
    return norms + query_key + mlp + attention_bytes + adapted


def _norm_bytes(a: Architecture, *, element_bytes: int, frozen: bool) -> int:
    if a.family.norm_bias:  # LayerNorm is one kernel: input and output
        return 2 * a.hidden_size * element_bytes
    # RMSNorm in transformers: its input as float32, the normalized value (for the gradient of the norm's own weight),
    # and the product that the projections read.
    return a.hidden_size * (_FLOAT32_BYTES + (1 if frozen else 2) * element_bytes)


def _mlp_width(a: Architecture) -> int:
    """Inner features that one token passes in a layer: of the dense MLP, or of its experts and the shared one."""
    return a.intermediate_size * a.active_mlp_copies + a.shared_intermediate_size


def _routing_bytes(a: Architecture, *, element_bytes: int) -> int:
    """A mixture's tokens in the order of their experts, before and after; and the router's scores."""
    if not a.experts:
        return 0
    return 2 * a.experts_per_token * a.hidden_size * element_bytes + 2 * a.experts * _FLOAT32_BYTES


def _mlp_copies(a: Architecture) -> float:
    if a.family.gated_mlp:
        return _GATED_COPIES
    return _GELU_NEW_COPIES if a.model_type == "gpt2" else _FUSED_ACTIVATION_COPIES


def _attention_bytes(a: Architecture, *, element_bytes: int, max_length: int, attention: str, masked: bool) -> int:
    if attention == "eager":
        # Keys and values repeated to every head; softmax in float32 and again in the model's dtype (GPT-2: only that).
        upcast = _FLOAT32_BYTES if element_bytes < _FLOAT32_BYTES and a.model_type != "gpt2" else 0
        return 4 * a.query_size * element_bytes + a.num_heads * max_length * (element_bytes + upcast)
    log_sum_exp = a.num_heads * _FLOAT32_BYTES
    if masked and attention == "sdpa":
        # With a mask transformers repeats keys and values to every head, and torch turns the boolean mask
        # [rows, 1, length, length] into one of the model's dtype, anew in each layer, and saves it (measured).
        return (4 * a.query_size + max_length) * element_bytes + log_sum_exp
    saved = 2 * a.query_size + 2 * a.key_value_size  # q, output; k, v
    if a.model_type == "phi3":
        # The value is a view, so the fused projection stays beside the rotated and repeated copies (measured).
        saved += 2 * a.query_size
    return saved * element_bytes + log_sum_exp


def is_masked(a: Architecture, *, rows: int, packing: bool, max_length: int) -> bool:
    """Whether sdpa gets a mask: rows of one batch differ in length, examples share a row, or a window is narrower."""
    return packing or rows > 1 or (a.sliding_window is not None and a.sliding_window < max_length)


def activation_bytes(
    a: Architecture,
    *,
    tokens: int,
    element_bytes: int,
    max_length: int,
    attention: str,
    checkpointing: bool,
    adapter_rank: int,
    masked: bool,
    float32_adapter: bool,
) -> ActivationBytes:
    """Activations of one micro-batch of `tokens` tokens."""
    per_layer = layer_bytes_per_token(
        a,
        element_bytes=element_bytes,
        max_length=max_length,
        attention=attention,
        adapter_rank=adapter_rank,
        masked=masked,
        float32_adapter=float32_adapter,
    )
    frozen = adapter_rank > 0
    # The final norm, and the positions that the output layer reads to compute its own gradient: a frozen one, none.
    read = -a.hidden_size * element_bytes if frozen else a.hidden_size * element_bytes
    tail = _norm_bytes(a, element_bytes=element_bytes, frozen=frozen) + read
    if not checkpointing:
        return ActivationBytes(kept=int(tokens * a.num_layers * per_layer), tail=tokens * tail, recomputed=0)
    # In the MLP's backward pass two gradients of its width are there at once; outside it, two of the hidden size.
    gradients = 2 * (_mlp_width(a) + a.hidden_size) * element_bytes
    # Each layer is called again with the mask, so the boolean one [rows, 1, length, length] stays, too.
    mask = max_length if masked and attention != "flash_attention_2" else 0
    return ActivationBytes(
        kept=tokens * (a.num_layers * a.hidden_size * element_bytes + mask),
        tail=tokens * tail,
        recomputed=int(tokens * (per_layer + gradients)),
    )


def logits_bytes(a: Architecture, *, tokens: int, element_bytes: int, live_reference: bool) -> LogitsBytes:
    """Logits of all positions: an upper bound where prompts are not trained, since those compute none."""
    # Backward: log-softmax, the gradient of the loss and the gradient of the logits, each float32. Only then the
    # gradient is cast to the model's dtype.
    loss = 3 * _FLOAT32_BYTES
    if live_reference and element_bytes < _FLOAT32_BYTES:
        # The policy's log-softmax waits while the reference computes logits, their float32 copy and log-softmax.
        loss = max(loss, element_bytes + 3 * _FLOAT32_BYTES)
    return LogitsBytes(loss=tokens * a.vocab_size * loss, backward=tokens * a.vocab_size * element_bytes)
