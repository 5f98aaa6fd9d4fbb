"""Writes a model as one GGUF file, for llama.cpp and the programs built on it (Ollama, LM Studio, phone apps).

The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The names of tensors come from the package `gguf`, what
else a model family needs is in `families`, the tokenizer in `vocabulary`.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfchatbot.files import atomic_file
from selfchatbot.gguf.errors import GgufError
from selfchatbot.gguf.families import family_of, positions
from selfchatbot.gguf.quantization import DEFAULT_QUANTIZATION, Quantization
from selfchatbot.gguf.tensors import Tensor
from selfchatbot.gguf.vocabulary import add_vocabulary, read_vocabulary

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Q8_0_BLOCK = 32
"""Weights that share a scale; rows that are not a multiple of it can't be q8_0."""


def check_gguf(config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerBase", window: int = 0) -> None:
    """Raise GgufError, without loading the model, if it or its tokenizer can't be written to read ``window`` tokens."""
    family_of(config)
    if window > positions(config):
        raise GgufError(
            f"llama.cpp lets no layer of this model slide, which is right for {positions(config)} tokens only"
        )
    read_vocabulary(tokenizer)


def write_gguf(
    path: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    end: int,
    quantization: Quantization = DEFAULT_QUANTIZATION,
    name: str = "selfchatbot",
) -> None:
    """Write a whole model (adapters merged) and its tokenizer; ``path`` appears complete or not at all.

    ``end`` is the token that ends a turn, where other programs stop. f16 and q8_0 (8 bits, with a scale for every 32
    weights) apply to matrices; norms, biases and learned positions stay float32. Memory holds one more tensor besides
    the model. Raises GgufError for a model family or tokenizer that is unknown here.
    """
    import gguf
    from gguf import GGMLQuantizationType

    family = family_of(model.config)
    kinds = {
        "f32": (GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
        "f16": (GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
        "q8_0": (GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    }
    wanted, file_type = kinds[quantization]
    with atomic_file(path) as partial:
        writer = gguf.GGUFWriter(partial, family.architecture)
        try:
            writer.add_name(name)
            writer.add_file_type(file_type)
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
            family.add_settings(writer, model)
            add_vocabulary(writer, tokenizer, end, model.get_input_embeddings().weight.shape[0])
            stored = [(tensor, _kind(tensor, wanted)) for tensor in family.tensors(model)]
            for tensor, kind in stored:
                _announce(writer, tensor, kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for tensor, kind in stored:
                writer.write_tensor_data(gguf.quants.quantize(tensor.values(), kind))
        finally:
            writer.close()


def _kind(tensor: Tensor, wanted: object) -> object:
    """The number format of one tensor."""
    from gguf import GGMLQuantizationType

    if len(tensor.shape) < 2 or tensor.exact:
        return GGMLQuantizationType.F32
    if wanted == GGMLQuantizationType.Q8_0 and tensor.shape[-1] % Q8_0_BLOCK:
        return GGMLQuantizationType.F16
    return wanted


def _announce(writer: Any, tensor: Tensor, kind: object) -> None:
    """Add the name, shape and size of a tensor to the header, which comes before all weights."""
    import gguf
    import numpy

    shape = tensor.shape
    dtype: Any = numpy.dtype(numpy.float16 if kind == gguf.GGMLQuantizationType.F16 else numpy.float32)
    if kind == gguf.GGMLQuantizationType.Q8_0:
        shape, dtype = gguf.quant_shape_to_byte_shape(shape, kind), numpy.dtype(numpy.uint8)
    size = math.prod(shape) * dtype.itemsize
    writer.add_tensor_info(tensor.name, shape, dtype, size, raw_dtype=kind)


__all__ = ["GgufError", "Quantization", "check_gguf", "write_gguf"]
