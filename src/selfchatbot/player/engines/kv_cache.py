"""A model's key-value cache with room to grow: to append a token, transformers' own copies all that was read before."""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

ROOM = 64
"""Tokens for which there is room after each time that all was copied."""


def new_cache(config: "PreTrainedConfig") -> DynamicCache:
    """An empty cache; layers of a kind of their own, sliding windows for one, are those of transformers."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def argument(model: "PreTrainedModel") -> str:
    """What the forward pass calls its cache: `past_key_values` until transformers 5.24, and no longer from 5.40 on."""
    return "cache" if "cache" in inspect.signature(type(model).forward).parameters else "past_key_values"


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """Keys and values, shapes (sequences, heads, tokens, size of a head), are the beginnings of larger tensors."""

    _larger: list[torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_options: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append; returns all keys and values."""
        old = self.get_seq_length()
        length = old + key_states.shape[-2]
        if not self._has_room(length):
            former = (self.keys, self.values)
            states = (key_states, value_states)
            self._larger = [one.new_empty(*one.shape[:-2], length + ROOM, one.shape[-1]) for one in states]
            if old:
                for larger, one in zip(self._larger, former, strict=True):
                    larger[..., :old, :] = one
        assert self._larger is not None
        for larger, one in zip(self._larger, (key_states, value_states), strict=True):
            larger[..., old:length, :] = one
        self._show(length)
        self.is_initialized, self.dtype, self.device = True, key_states.dtype, key_states.device
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these sequences only, and the room."""
        length = self.get_seq_length()
        if not self._has_room(length):
            super().batch_select_indices(indices)
        else:
            assert self._larger is not None
            self._larger = [larger[indices] for larger in self._larger]
            self._show(length)

    def _has_room(self, length: int) -> bool:
        """Not where something else, repeating for one, has put other tensors in the place of the beginnings."""
        return (
            self._larger is not None
            and self._larger[0].shape[-2] >= length
            and self._larger[0].shape[0] == self.keys.shape[0]
            and self._larger[0].data_ptr() == self.keys.data_ptr()
        )

    def _show(self, length: int) -> None:
        assert self._larger is not None
        self.keys, self.values = (larger[..., :length, :] for larger in self._larger)


__all__ = ["GrowingLayer", "argument", "new_cache"]
