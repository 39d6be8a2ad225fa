"""torch's MemTracker, keeping a log: every storage's birth and end, so that each can be named after the run.

MemTracker knows parameters, gradients and optimizer states of plain modules. DeepSpeed holds flat buffers of its own,
which would all be "Other" or "Activation" to it: here whoever knows a storage names it, at any time while it lives.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.distributed._tools.mem_tracker import MemTracker, _MemRefType
from torch.utils._pytree import tree_map_only

# The last two are what nobody has named: tensors of the backward pass are activations or their gradients.
_KINDS = {
    _MemRefType.PARAM: "weights",
    _MemRefType.BUFFER: "weights",
    _MemRefType.GRAD: "gradients",
    _MemRefType.OPT: "optimizer",
    _MemRefType.OTH: "other",
    _MemRefType.ACT: "activations",
    _MemRefType.TEMP: "activations",
}


class StorageLog(MemTracker):  # type: ignore[misc]  # mypy skips torch
    """Bytes over time by category. Enter it after the engine is built; `begin` starts the window that is reported."""

    def __init__(self, *, logits: tuple[int, int], sizes: Mapping[int, str]) -> None:
        """`logits`: (positions, vocabulary) of one micro-batch; a tensor of that size is one. `sizes`: elements of flat
        buffers and their category."""
        super().__init__()
        self._events: list[tuple[Any, int, str]] = []
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # keeps id() of what was named unique
        self._phase = "before"
        self._logits = logits
        self._sizes = sizes

    def phase(self, name: str) -> None:
        """What follows is part of `name`: a micro-batch or the optimizer's step."""
        self._phase = name
        self._events.append((None, 0, name))  # what is there at its start counts

    def name(self, tensors: Iterable[torch.Tensor | None], category: str, *, over: bool = False) -> None:
        """Whose storages these are. `over`: also where they have a name already."""
        for tensor in tensors:
            if tensor is None:
                continue
            for winfo in self._update_and_maybe_create_winfos(tensor, _MemRefType.OTH):
                if self._names.get(id(winfo)) != "buckets" and (over or id(winfo) not in self._names):
                    self._names[id(winfo)] = category
                    self._kept.append(winfo)

    # Of the statistics by module nothing is needed but that parameters are known; MemTracker's own refuse a second
    # forward pass, which DPO with an adapter makes.
    def _pre_fw_hook(self, module, inputs):  # type: ignore[no-untyped-def]  # noqa: ARG002  MemTracker's signature
        self._track_module_params_and_buffers(module)  # type: ignore[no-untyped-call]  # MemTracker's is

    def _post_fw_hook(self, module, inputs, outputs):  # type: ignore[no-untyped-def]
        pass

    def _pre_bw_hook(self, module, args):  # type: ignore[no-untyped-def]
        pass

    def _post_bw_hook(self, module, args):  # type: ignore[no-untyped-def]
        pass

    def _track_module_params_and_buffers(self, module, install_grad_hooks=True):  # type: ignore[no-untyped-def]
        # MemTracker hooks every gradient, also those that frozen parameters never get; layers below are asked, too.
        trains = all(parameter.requires_grad for parameter in module.parameters())
        return super()._track_module_params_and_buffers(module, install_grad_hooks and trains)

    def _update_snap(self, u_type, winfo, old_mem_consumed=None, old_reftype=None):  # type: ignore[no-untyped-def]
        super()._update_snap(u_type, winfo, old_mem_consumed, old_reftype)
        if u_type.name == "REF":
            return
        bytes_now = winfo.mem_consumed
        change = {"ADD": bytes_now, "DEL": -bytes_now}.get(u_type.name, bytes_now - (old_mem_consumed or 0))
        self._events.append((winfo, change, self._phase))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = super().__torch_dispatch__(func, types, args, kwargs)
        tree_map_only(torch.Tensor, self._name_by_size, result)
        return result

    def _name_by_size(self, tensor: torch.Tensor) -> None:
        positions, vocabulary = self._logits
        if tensor.dim() == 1 and tensor.numel() in self._sizes and not self._phase.startswith("step"):
            self.name([tensor], self._sizes[tensor.numel()])
        elif tensor.dim() > 1 and tensor.shape[-1] == vocabulary and tensor.numel() == positions * vocabulary:
            self.name([tensor], "logits")

    def report(self, window: Iterable[str]) -> dict[str, Any]:
        """Bytes in these phases: the `peak`, and its `parts` by category."""
        window = set(window)
        born: dict[int, str] = {}
        now: dict[str, int] = defaultdict(int)
        peak: int = 0
        parts: dict[str, int] = {}
        for winfo, change, phase in self._events:
            if winfo is not None:
                now[self._category(winfo, born.setdefault(id(winfo), phase))] += change
            total = sum(now.values())
            if phase in window and total > peak:
                peak, parts = total, {category: size for category, size in now.items() if size}
        return {"peak": peak, "parts": parts}

    def _category(self, winfo: Any, born: str) -> str:
        named = self._names.get(id(winfo))
        if named is not None:
            return named
        kind = _KINDS[winfo.reftype]
        return "step" if kind in ("activations", "other") and born.startswith("step") else kind
