"""peft's LoRA layer with fewer passes over memory: what it computes, saves and loads stays peft's."""

from typing import Any

import torch
from peft.tuners.lora import Linear


class AdaptedLinear(Linear):  # type: ignore[misc]
    """A frozen linear layer and its adapter, computed in the number format of the layer.

    peft goes over the whole output twice more in either direction, and keeps the input in float32 beside the layer's.
    Here the adapter's products are added into the layer's. Whatever is special, like DoRA or dropout, is left to peft.
    """

    @classmethod
    def replace(cls, model: torch.nn.Module) -> None:
        """Make those of all layers that are peft's for plain linear ones."""
        for module in model.modules():
            if type(module) is Linear and type(module.base_layer) is torch.nn.Linear:
                module.__class__ = cls

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        active = [name for name in self.active_adapters if name in self.lora_A]
        special = args or kwargs or self.disable_adapters or self.merged or self.lora_variant or len(active) != 1
        if special or not isinstance(self.lora_dropout[active[0]], torch.nn.Identity):
            return super().forward(x, *args, **kwargs)  # type: ignore[no-any-return]
        base, dtype = self.base_layer, self.base_layer.weight.dtype
        a, b = (part[active[0]].weight.to(dtype) for part in (self.lora_A, self.lora_B))
        with torch.autocast(x.device.type, enabled=False):  # these formats are meant
            return _Sum.apply(x.to(dtype), base.weight, base.bias, a, b, self.scaling[active[0]])  # type: ignore[no-any-return, no-untyped-call]


class _Sum(torch.autograd.Function):
    """x W' + bias + s (x A') B' with gradients of x, A and B: x of shape (..., in), W (out, in), A (r, in), B (out, r).

    Hu et al. 2021, "LoRA", equation 3.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        low = rows @ a.T
        result = torch.nn.functional.linear(rows, weight, bias).addmm_(low, b.T, alpha=scaling)
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.scaling = scaling
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, a, b, low = ctx.saved_tensors
        rows, gradient = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, weight.shape[0])
        to_low = (gradient @ b).mul_(ctx.scaling)
        to_x = (gradient @ weight).addmm_(to_low, a).view_as(x) if ctx.needs_input_grad[0] else None
        return to_x, None, None, to_low.T @ rows, (gradient.T @ low).mul_(ctx.scaling), None
