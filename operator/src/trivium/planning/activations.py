"""Bytes that one rank keeps between forward and backward: layer activations and logits, per micro-batch.

Counted tensor by tensor as autograd saves them in transformers 5.23 (a test compares with `saved_tensors_hooks`).
"""

from trivium.planning.architecture import Architecture

# NewGELUActivation is written in elementwise operations and saves an intermediate for nearly each; a fused GELU or SiLU
# saves its input and its output. In units of the intermediate size, output of the up projection included.
_GELU_NEW_COPIES = 5.5
_FUSED_ACTIVATION_COPIES = 2
_GATED_COPIES = 4  # gate, act(gate), up, their product

_FLOAT32_BYTES = 4


def layer_bytes_per_token(
    a: Architecture, *, element_bytes: int, max_length: int, attention: str, adapter_rank: int = 0
) -> float:
    """What one decoder layer saves for one token. Units: bytes.

    `attention` is flash_attention_2, sdpa or eager; only eager keeps the [heads, length, length] scores.
    """
    norms = a.norms_per_layer * _norm_bytes(a, element_bytes=element_bytes)
    query_key = 0
    if a.query_key_norm != "none":
        # Input (as float32) and normalized value; the rotated output is counted with the attention's inputs.
        query_key = (a.query_size + a.key_value_size) * (_FLOAT32_BYTES + element_bytes)
    mlp = _mlp_copies(a) * a.intermediate_size * a.active_mlp_copies * element_bytes
    attention_bytes = _attention_bytes(a, element_bytes=element_bytes, max_length=max_length, attention=attention)
    adapted = len(a.linears()) * adapter_rank * element_bytes
    return norms + query_key + mlp + attention_bytes + adapted


def _norm_bytes(a: Architecture, *, element_bytes: int) -> int:
    if a.family.norm_bias:  # LayerNorm is one kernel: input and output
        return 2 * a.hidden_size * element_bytes
    # RMSNorm in transformers: its input as float32, the normalized value, and the product that the projections read.
    return a.hidden_size * (_FLOAT32_BYTES + 2 * element_bytes)


def _mlp_copies(a: Architecture) -> float:
    if a.family.gated_mlp:
        return _GATED_COPIES
    return _GELU_NEW_COPIES if a.model_type == "gpt2" else _FUSED_ACTIVATION_COPIES


def _attention_bytes(a: Architecture, *, element_bytes: int, max_length: int, attention: str) -> int:
    if attention == "eager":
        # Keys and values repeated to every head; softmax in float32 and again in the model's dtype (GPT-2: only that).
        upcast = _FLOAT32_BYTES if element_bytes < _FLOAT32_BYTES and a.model_type != "gpt2" else 0
        return 4 * a.query_size * element_bytes + a.num_heads * max_length * (element_bytes + upcast)
    saved = 2 * a.query_size + 2 * a.key_value_size  # q, output; k, v
    if a.model_type == "phi3":
        # The value is a view, so the fused projection stays beside the rotated and repeated copies (measured).
        saved += 2 * a.query_size
    return saved * element_bytes + a.num_heads * _FLOAT32_BYTES  # and the log-sum-exp of each head


def activation_bytes(
    a: Architecture,
    *,
    tokens: int,
    element_bytes: int,
    max_length: int,
    attention: str,
    checkpointing: bool,
    adapter_rank: int,
) -> int:
    """Activations of one micro-batch of `tokens` tokens. Units: bytes.

    With checkpointing a layer keeps only its input, and one layer at a time is computed again in full.
    """
    per_layer = layer_bytes_per_token(
        a, element_bytes=element_bytes, max_length=max_length, attention=attention, adapter_rank=adapter_rank
    )
    if checkpointing:
        return int(tokens * (a.num_layers * a.hidden_size * element_bytes + per_layer))
    return int(tokens * a.num_layers * per_layer)


def logits_bytes(a: Architecture, *, tokens: int, element_bytes: int) -> int:
    """Logits in the model's dtype, their float32 copy, and the gradient of that copy. Units: bytes."""
    copy = 0 if element_bytes == _FLOAT32_BYTES else element_bytes
    return tokens * a.vocab_size * (copy + 2 * _FLOAT32_BYTES)
