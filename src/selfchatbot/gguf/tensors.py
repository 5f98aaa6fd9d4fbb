"""Weights as they are stored, and stacks of experts taken apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight as it is stored."""

    name: str
    shape: tuple[int, ...]
    """Rows first, as in torch."""
    values: "Callable[[], NDArray[Any]]"
    """float32, computed when it is written."""
    exact: bool = False
    """Kept in float32 although it is a matrix."""


RENAMED = (
    (".block_sparse_moe.router.", ".mlp.gate."),
    (".block_sparse_moe.", ".mlp."),
    (".gate.moe_statics.", ".moe_statics."),
    ("e_score_correction_bias", "e_score_correction.bias"),
    (".expert_bias", ".expert_bias.bias"),
)
"""Parts of names that llama.cpp's table has in another way."""


def stored_parts(name: str, weight: Any) -> Iterator[Tensor]:
    """The weight ``name`` of transformers, or the parts that llama.cpp has of it.

    transformers keeps gate and up projection of all experts in one parameter of shape (experts, 2 x inner, hidden).
    """
    for old, new in RENAMED:
        name = name.replace(old, new)
    if name.endswith(".experts.gate_up_proj"):
        inner = weight.shape[1] // 2
        for part, rows in (("gate_proj", weight[:, :inner]), ("up_proj", weight[:, inner:])):
            yield _whole(name.replace("gate_up_proj", part), rows)
    elif name.endswith(".moe_statics.e_score_correction.bias"):
        yield _whole(name, weight.squeeze(0))
    elif name.endswith(".conv.conv.weight"):  # one filter for each channel
        yield _whole(name, weight.squeeze(1))
    else:
        yield _whole(name, weight)


def _whole(name: str, weight: Any) -> Tensor:
    return Tensor(name, tuple(weight.shape), lambda: weight.detach().float().cpu().numpy())


def float32(values: Any) -> "NDArray[Any]":
    """``values`` as numpy writes them to a file."""
    import numpy

    return numpy.ascontiguousarray(values, dtype=numpy.float32)
