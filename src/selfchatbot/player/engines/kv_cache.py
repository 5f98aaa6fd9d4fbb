"""A key-value cache with spare room: transformers' own copies everything it holds to append one token.

`DynamicLayer` is not part of transformers' stable interface. tests/test_transformers_engine.py compares both caches and
names the version of transformers when they differ; without `GrowingLayer`, replies are the same and slower.
"""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

SPARE_TOKENS = 64
"""Room that is added whenever everything has to be copied."""


def new_cache(config: "PreTrainedConfig") -> DynamicCache:
    """An empty cache. Layers of other kinds, such as sliding windows, stay those of transformers."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def cache_argument(model: "PreTrainedModel") -> str:
    """What the forward pass calls its cache: `cache` in new versions of transformers, `past_key_values` before."""
    return "cache" if "cache" in inspect.signature(type(model).forward).parameters else "past_key_values"


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """``keys`` and ``values``, shape (sequences, heads, tokens, head size), are views of larger tensors."""

    _buffers: list[torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_options: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append; returns all keys and values."""
        old = self.get_seq_length()
        length = old + key_states.shape[-2]
        if not self._has_room(length):
            before = (self.keys, self.values)
            states = (key_states, value_states)
            self._buffers = [one.new_empty(*one.shape[:-2], length + SPARE_TOKENS, one.shape[-1]) for one in states]
            if old:
                for buffer, one in zip(self._buffers, before, strict=True):
                    buffer[..., :old, :] = one
        assert self._buffers is not None
        for buffer, one in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., old:length, :] = one
        self._set_length(length)
        self.is_initialized, self.dtype, self.device = True, key_states.dtype, key_states.device
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only these sequences, with their spare room."""
        length = self.get_seq_length()
        if not self._has_room(length):
            super().batch_select_indices(indices)
        else:
            assert self._buffers is not None
            self._buffers = [buffer[indices] for buffer in self._buffers]
            self._set_length(length)

    def _has_room(self, length: int) -> bool:
        """False too where the base class has replaced the views, for example to repeat the sequences."""
        return (
            self._buffers is not None
            and self._buffers[0].shape[-2] >= length
            and self._buffers[0].shape[0] == self.keys.shape[0]
            and self._buffers[0].data_ptr() == self.keys.data_ptr()
        )

    def _set_length(self, length: int) -> None:
        assert self._buffers is not None
        self.keys, self.values = (buffer[..., :length, :] for buffer in self._buffers)


__all__ = ["GrowingLayer", "cache_argument", "new_cache"]
