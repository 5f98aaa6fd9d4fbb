"""A model as one GGUF file, the format of llama.cpp and what is built on it (Ollama, LM Studio, phone apps).

Layout of the file: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The names of tensors come from the package
`gguf`, what a family needs beyond them stands in `families`, its tokenizer in `vocabulary`.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfchatbot.files import atomic_file
from selfchatbot.gguf.families import GgufError, Tensor, family_of
from selfchatbot.gguf.vocabulary import add_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Quantization = Literal["f32", "f16", "q8_0"]
QUANTIZATIONS: tuple[Quantization, ...] = ("f32", "f16", "q8_0")
Q8_0_BLOCK = 32
"""Values that share a scale; rows of another length can't be q8_0."""


def write_gguf(
    path: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    end: int,
    quantization: Quantization = "q8_0",
    name: str = "selfchatbot",
) -> None:
    """Write a whole model (adapters merged) and its tokenizer; ``path`` appears complete or not at all.

    ``end`` is the token that ends a turn: runners stop there. f16 and q8_0 (8 bits, a scale for every 32 weights) are
    for matrices; norms, biases and learned positions stay float32. One tensor at a time is in memory beside the model.
    Raises GgufError for a family or tokenizer that isn't known here.
    """
    import gguf
    from gguf import GGMLQuantizationType

    family = family_of(model)
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
    """Give name, shape and place of a tensor, as they stand in front of all weights."""
    import gguf
    import numpy

    shape = tensor.shape
    dtype: Any = numpy.dtype(numpy.float16 if kind == gguf.GGMLQuantizationType.F16 else numpy.float32)
    if kind == gguf.GGMLQuantizationType.Q8_0:
        shape, dtype = gguf.quant_shape_to_byte_shape(shape, kind), numpy.dtype(numpy.uint8)
    size = math.prod(shape) * dtype.itemsize
    writer.add_tensor_info(tensor.name, shape, dtype, size, raw_dtype=kind)


__all__ = ["QUANTIZATIONS", "GgufError", "Quantization", "write_gguf"]
