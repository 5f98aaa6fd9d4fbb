"""A key-value cache with spare room: transformers' own copies everything it holds to append one token.

`DynamicLayer` is not part of transformers' stable interface. tests/test_transformers_engine.py compares both caches and
names the version of transformers when they differ; without `GrowingLayer`, replies are the same and slower.
"""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from selfchatbot.model_families import CACHES

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

SPARE_TOKENS = 64
"""Room that is added whenever everything has to be copied."""


def new_cache(config: "PreTrainedConfig") -> DynamicCache:
    """An empty cache. Layers of other kinds, such as sliding windows, stay those of transformers."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: Any, rows: torch.Tensor) -> None:
    """Keep these ``rows`` of all sequences, in this order; a row may come several times.

    Every kind of layer can do this. Linear attention has no other way to repeat or to drop sequences.
    """
    cache.reorder_cache(rows)


def repeat(cache: Any, count: int, device: torch.device) -> None:
    """Make ``count`` sequences out of the only one."""
    select_rows(cache, torch.zeros(count, dtype=torch.long, device=device))


def keeps_everything(cache: Any) -> bool:
    """Whether each layer keeps all tokens: no sliding window, no running state."""
    return all(isinstance(layer, GrowingLayer) for layer in cache.layers)


def cropped(cache: Any, count: int) -> bool:
    """Remove the last ``count`` tokens; False, and nothing removed, if a layer no longer has what came before them."""
    if count == 0:
        return True
    if not all(isinstance(layer, GrowingLayer) or _window_is_open(layer) for layer in cache.layers):
        return False
    cache.crop(-count)
    return True


def _window_is_open(layer: Any) -> bool:
    """Whether a sliding window still holds every token."""
    return type(layer) is DynamicSlidingWindowLayer and layer.get_seq_length() < layer.sliding_window


def cache_argument(model: "PreTrainedModel") -> str:
    """What the forward pass calls its cache, which differs between versions of transformers and between families."""
    parameters = inspect.signature(type(model).forward).parameters
    return next(name for name in CACHES if name in parameters)


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

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep these sequences, with their spare room."""
        length = self.get_seq_length()
        if not self._has_room(length):
            super().reorder_cache(beam_idx)
        else:
            assert self._buffers is not None
            self._buffers = [buffer[beam_idx] for buffer in self._buffers]
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


__all__ = ["GrowingLayer", "cache_argument", "cropped", "keeps_everything", "new_cache", "repeat", "select_rows"]
