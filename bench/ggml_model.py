#!/usr/bin/env python3
"""Whisper as CTranslate2 keeps it, in the form that whisper.cpp reads: ggml_model.py MODEL_FOLDER OUT.bin f16|q8_0. The
same weights: f16 holds the very numbers, q8_0 rounds them as whisper.cpp's `quantize` does."""
import json
import pathlib
import struct
import sys

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8  # types of tensors
# The type of most tensors as the header has it: with ggml's version of how numbers are rounded, where they are.
HEADER_TYPE = {"f16": 1, "q8_0": 2 * 1000 + 7}
CTRANSLATE2_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
# Never rounded, as in whisper.cpp's own converters.
ALWAYS_F32 = {"encoder.conv1.bias", "encoder.conv2.bias", "encoder.positional_embedding", "decoder.positional_embedding"}


def read_ctranslate2(path):
    """The variables of a model.bin, by name."""
    data, at = path.read_bytes(), 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    def text():
        (length,) = take("H")
        return take(f"{length}s")[0][:-1].decode()

    take("I"), text(), take("I")  # versions of the file and of the model, and its kind
    variables = {}
    for _ in range(take("I")[0]):
        name = text()
        (rank,) = take("B")
        shape = take(f"{rank}I")
        kind, size = take("BI")
        variables[name] = np.frombuffer(data, CTRANSLATE2_TYPES[kind], size // np.dtype(CTRANSLATE2_TYPES[kind]).itemsize,
                                        at).reshape(shape)
        at += size
    return variables


def attention(variables, source, target, projections):
    """CTranslate2 keeps what is multiplied with the same input as one matrix; keys have no bias."""
    result = {}
    for layer, names in projections:
        weights = np.split(variables[f"{source}/{layer}/weight"], len(names))
        biases = np.split(variables[f"{source}/{layer}/bias"], len(names))
        for name, weight, bias in zip(names, weights, biases):
            result[f"{target}.{name}.weight"] = weight
            if name == "key":
                assert not bias.any()
            else:
                result[f"{target}.{name}.bias"] = bias
    return result


def pair(variables, source, target, names=("weight", "bias")):
    return {f"{target}.weight": variables[f"{source}/{names[0]}"], f"{target}.bias": variables[f"{source}/{names[1]}"]}


def norm(variables, source, target):
    return pair(variables, source, target, ("gamma", "beta"))


def tensors(variables):
    """By their names in OpenAI's checkpoints, which are whisper.cpp's too."""
    result = {
        "encoder.positional_embedding": variables["encoder/position_encodings/encodings"],
        "decoder.positional_embedding": variables["decoder/position_encodings/encodings"],
        "decoder.token_embedding.weight": variables["decoder/embeddings/weight"],
        **norm(variables, "encoder/layer_norm", "encoder.ln_post"),
        **norm(variables, "decoder/layer_norm", "decoder.ln"),
    }
    for conv in ("conv1", "conv2"):
        result |= pair(variables, f"encoder/{conv}", f"encoder.{conv}")
        result[f"encoder.{conv}.bias"] = result[f"encoder.{conv}.bias"].reshape(-1, 1)
    for side in ("encoder", "decoder"):
        layer = 0
        while f"{side}/layer_{layer}/ffn/linear_0/weight" in variables:
            source, target = f"{side}/layer_{layer}", f"{side}.blocks.{layer}"
            result |= norm(variables, f"{source}/self_attention/layer_norm", f"{target}.attn_ln")
            result |= attention(variables, f"{source}/self_attention", f"{target}.attn",
                                [("linear_0", ("query", "key", "value")), ("linear_1", ("out",))])
            if side == "decoder":
                result |= norm(variables, f"{source}/attention/layer_norm", f"{target}.cross_attn_ln")
                result |= attention(variables, f"{source}/attention", f"{target}.cross_attn",
                                    [("linear_0", ("query",)), ("linear_1", ("key", "value")), ("linear_2", ("out",))])
            result |= norm(variables, f"{source}/ffn/layer_norm", f"{target}.mlp_ln")
            result |= pair(variables, f"{source}/ffn/linear_0", f"{target}.mlp.0")
            result |= pair(variables, f"{source}/ffn/linear_1", f"{target}.mlp.2")
            layer += 1
    return result


def dimensions(variables):
    """The header's numbers before the type: sizes of vocabulary, encoder, decoder, features."""
    vocabulary, text_state = variables["decoder/embeddings/weight"].shape
    audio_state, mels, _ = variables["encoder/conv1/weight"].shape

    def layers(side):
        return len([n for n in variables if n.startswith(f"{side}/layer_") and n.endswith("/ffn/linear_0/weight")])

    return [vocabulary, variables["encoder/position_encodings/encodings"].shape[0], audio_state,
            int(variables["encoder/num_heads"]), layers("encoder"),
            variables["decoder/position_encodings/encodings"].shape[0], text_state, int(variables["decoder/num_heads"]),
            layers("decoder"), mels]


def token_bytes(folder):
    """Each token as bytes; GPT-2's vocabulary writes bytes that do not print as other characters. Special tokens, which
    begin at <|endoftext|>, whisper.cpp makes itself."""
    printing = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in printing]
    back = {chr(b): b for b in printing} | {chr(256 + n): b for n, b in enumerate(others)}
    tokens = json.loads((folder / "vocabulary.json").read_text())
    return [bytes(back[c] for c in token) for token in tokens[: tokens.index("<|endoftext|>")]]


def q8_0(values):
    """Blocks of 32 with a scale as float16 before them; halves are rounded away from zero, as roundf does."""
    blocks = values.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    scaled = blocks * np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)
    return np.concatenate([scale.astype(np.float16).view(np.int8), rounded], axis=1).tobytes()


def encoded(name, values, kind):
    """A tensor's type and bytes."""
    if values.ndim < 2 or name in ALWAYS_F32:
        return F32, values.astype(np.float32).tobytes()
    if kind == "q8_0" and values.ndim == 2:
        return Q8_0, q8_0(values)
    return F16, values.astype(np.float16).tobytes()


def main(folder, out, kind):
    folder = pathlib.Path(folder)
    variables = read_ctranslate2(folder / "model.bin")
    sizes = dimensions(variables)
    tokens = token_bytes(folder)
    filters = FeatureExtractor(feature_size=sizes[-1]).mel_filters.astype(np.float32)
    with open(out, "wb") as file:
        file.write(struct.pack("<12i", MAGIC, *sizes, HEADER_TYPE[kind]))
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<I", len(token)) + token)
        for name, values in tensors(variables).items():
            number, data = encoded(name, values, kind)
            file.write(struct.pack("<3i", values.ndim, len(name), number) + struct.pack(f"<{values.ndim}i", *values.shape[::-1]))
            file.write(name.encode() + data)


if __name__ == "__main__":
    main(*sys.argv[1:])
