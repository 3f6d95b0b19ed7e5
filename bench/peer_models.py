#!/usr/bin/env python3
"""The models of diarization-default in the form that sherpa-onnx reads: peer_models.py LIBRARY OUT. The same weights:
the segmentation with its facts as metadata, the whole embedding network with every frame weighing the same."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "deps"))

import numpy as np
from onnx import helper, numpy_helper

import voice_models


def with_facts(model, facts):
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=str(value))
    return model


def main(library, out):
    library, out = pathlib.Path(library), pathlib.Path(out)
    segmentation = voice_models.to_onnx(voice_models.symbol_bytes(library, voice_models.SEGMENTATION))
    segmentation = voice_models.cut(segmentation, ["waveforms"], voice_models.CLASSES, ["N", "T", 7])
    segmentation.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "T"
    facts = dict(num_speakers=3, powerset_max_classes=2, num_classes=7, sample_rate=16000, window_size=160000,
                 receptive_field_size=991, receptive_field_shift=270, model_type="pyannote-segmentation-3.0", version=1)
    voice_models.save(with_facts(segmentation, facts), out / "segmentation.onnx")

    embedding = voice_models.to_onnx(voice_models.symbol_bytes(library, voice_models.EMBEDDING))
    graph = embedding.graph
    one = numpy_helper.from_array(np.array([1], np.float32))
    starts, ends = (numpy_helper.from_array(np.array([v], np.int64), n) for v, n in ((0, "ones/0"), (2, "ones/2")))
    graph.initializer.extend([starts, ends])
    nodes = [
        helper.make_node("Shape", ["fbank"], ["ones/shape"]),
        helper.make_node("Slice", ["ones/shape", "ones/0", "ones/2"], ["ones/two"]),
        helper.make_node("ConstantOfShape", ["ones/two"], ["weights"], value=one),
    ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + rest)
    kept = [value for value in graph.input if value.name == "fbank"]
    del graph.input[:]
    graph.input.extend(kept)
    facts = dict(framework="wespeaker", language="English", url="", comment="community-1", sample_rate=16000,
                 output_dim=256, normalize_samples=0, feature_normalize_type="global-mean")
    voice_models.save(with_facts(embedding, facts), out / "embedding.onnx")


if __name__ == "__main__":
    main(*sys.argv[1:])
