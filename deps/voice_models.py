#!/usr/bin/env python3
"""Makes the models of `diarization-default` out of the library that carries them.

  voice_models.py LIBRARY OUT          writes segmentation.onnx, trunk-float.onnx, trunk-int8.onnx, projection.bin
  voice_models.py LIBRARY OUT --calibrate FILE.wav...   measures voice_ranges.json anew, then writes the models

The library holds two networks in ONNX Runtime's own format. Each is turned back into ONNX. The segmentation is cut
before its powerset is turned into speakers, so that the seven classes' log-probabilities come out. The embedding
network is cut before its pooling: what is left, the trunk, is run once over a recording, pooling and the last
projection are Hansard's own. The trunk comes in float and in int8 (static quantization: per-channel weights, uint8
activations). All arithmetic is elementwise on fixed numbers (the ranges lie beside this file), so the bytes are the
same on every machine.
"""
import importlib.util
import json
import pathlib
import struct
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = pathlib.Path(__file__).parent
RANGES = HERE / "voice_ranges.json"
SEGMENTATION = "_ZN9cppannote19embedded_community121segmentation_ort_dataE"
EMBEDDING = "_ZN9cppannote19embedded_community118embedding_ort_dataE"
TRUNK_END = "/resnet/pool/Reshape_output_0"
CLASSES = "/inner/activation/LogSoftmax_output_0"


# ---- out of the library


def symbol_bytes(library, name):
    """The bytes of a data symbol of a 64-bit little-endian ELF file."""
    data = library.read_bytes()
    (section_at,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, section_at + i * size) for i in range(count)]
    for kind, offset, length, link, entry in ((s[1], s[4], s[5], s[6], s[9]) for s in sections):
        if kind not in (2, 11):  # symbol tables
            continue
        names = sections[link][4]
        for at in range(offset, offset + length, entry):
            name_at, _, _, index, address, bytes_ = struct.unpack_from("<IBBHQQ", data, at)
            end = data.index(b"\0", names + name_at)
            if data[names + name_at : end].decode() == name and index:
                start = sections[index][4] + address - sections[index][3]
                return data[start : start + bytes_]
    raise SystemExit(f"{library.name} has no symbol {name}: is it another version?")


def schema():
    """The reader of ONNX Runtime's format, out of its Python package; the runtime itself is not loaded."""
    package = importlib.util.find_spec("onnxruntime").submodule_search_locations[0]
    sys.path.insert(0, str(pathlib.Path(package) / "tools" / "ort_format_model"))
    from ort_flatbuffers_py import fbs

    return fbs


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def listed(owner, field):
    get = getattr(owner, field)
    return [get(i) for i in range(getattr(owner, field + "Length")())]


def to_tensor(source):
    tensor = onnx.TensorProto(name=text(source.Name()) or "", data_type=source.DataType())
    tensor.dims.extend(listed(source, "Dims"))
    tensor.raw_data = bytes(source.RawDataAsNumpy()) if source.RawDataLength() else b""
    return tensor


def to_attribute(source):
    name = text(source.Name())
    kind = source.Type()
    readers = {
        1: lambda: source.F(),
        2: lambda: source.I(),
        3: lambda: source.S() or b"",
        4: lambda: to_tensor(source.T()),
        5: lambda: to_graph(source.G()),
        6: lambda: listed(source, "Floats"),
        7: lambda: listed(source, "Ints"),
        8: lambda: [text(s) for s in listed(source, "Strings")],
    }
    return helper.make_attribute(name, readers[kind](), attr_type=kind)


def to_value(source):
    value = onnx.ValueInfoProto(name=text(source.Name()))
    kind = source.Type()
    if kind is None or kind.ValueType() != 1:
        return value
    from ort_flatbuffers_py.fbs.TensorTypeAndShape import TensorTypeAndShape

    shape = TensorTypeAndShape()
    shape.Init(kind.Value().Bytes, kind.Value().Pos)
    value.type.tensor_type.elem_type = shape.ElemType()
    for dim in listed(shape.Shape(), "Dim") if shape.Shape() else []:
        out = value.type.tensor_type.shape.dim.add()
        number = dim.Value()
        if number is not None and number.DimType() == 1:
            out.dim_value = number.DimValue()
        elif number is not None and number.DimType() == 2:
            out.dim_param = text(number.DimParam())
    return value


def outer_names(node):
    """Every name that a node reads, those that its subgraphs read included."""
    names = list(node.input)
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            for inner in attribute.g.node:
                names += outer_names(inner)
            names += [output.name for output in attribute.g.output]
    return names


def in_order(nodes):
    made_by = {output: node for node in nodes for output in node.output if output}
    done, ordered = set(), []
    for first in nodes:
        stack = [(first, False)]
        while stack:
            node, visited = stack.pop()
            if visited:
                ordered.append(node)
            elif id(node) not in done:
                done.add(id(node))
                stack.append((node, True))
                stack += [(made_by[n], False) for n in outer_names(node) if n in made_by]
    return ordered


def to_graph(source):
    graph = onnx.GraphProto(name="graph")
    values = {text(v.Name()): v for v in listed(source, "NodeArgs")}
    graph.initializer.extend(to_tensor(t) for t in listed(source, "Initializers"))
    constants = {t.name for t in graph.initializer}
    nodes = []
    for n in sorted(listed(source, "Nodes"), key=lambda n: n.Index()):
        node = onnx.NodeProto(name=text(n.Name()) or "", op_type=text(n.OpType()), domain=text(n.Domain()) or "")
        node.input.extend(text(i) for i in listed(n, "Inputs"))
        node.output.extend(text(o) for o in listed(n, "Outputs"))
        node.attribute.extend(to_attribute(a) for a in listed(n, "Attributes"))
        nodes.append(node)
    graph.node.extend(in_order(nodes))
    inputs = (text(i) for i in listed(source, "Inputs"))
    graph.input.extend(to_value(values[i]) for i in inputs if i not in constants)
    graph.output.extend(to_value(values[text(o)]) for o in listed(source, "Outputs"))
    return graph


def to_onnx(data):
    fbs = schema()
    from ort_flatbuffers_py.fbs import InferenceSession

    source = InferenceSession.InferenceSession.GetRootAs(bytearray(data), 0).Model()
    graph = to_graph(source.Graph())
    opsets = [helper.make_opsetid(text(o.Domain()) or "", o.Version()) for o in listed(source, "OpsetImport")]
    used = {""} | {node.domain for node in graph.node}
    return helper.make_model(graph, opset_imports=[o for o in opsets if o.domain in used], ir_version=8)


# ---- cut and folded


def cut(model, inputs, output, output_shape):
    """What `output` needs of the model, with what depends on constants alone worked out."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    fold = {"Cast": lambda a: a.astype(np.float32), "Mul": np.multiply, "Add": np.add}
    nodes = []
    for node in model.graph.node:
        if node.op_type in fold and all(i in constants for i in node.input):
            constants[node.output[0]] = fold[node.op_type](*(constants[i] for i in node.input))
        else:
            nodes.append(node)
    needed, kept = {output}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(outer_names(node))
    kept.reverse()
    values = [v for v in model.graph.input if v.name in inputs]
    out = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, output_shape)
    weights = [numpy_helper.from_array(np.array(v), k) for k, v in constants.items() if k in needed]
    graph = helper.make_graph(kept, "graph", values, [out], weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)


def save(model, path):
    path.write_bytes(model.SerializeToString(deterministic=True))


def save_projection(model, path):
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    matrix = constants["resnet.seg_1.weight_quantized"].astype(np.float32)
    matrix = matrix * constants["resnet.seg_1.weight_scale"] + constants["resnet.seg_1.weight_zero_point"]
    assert matrix.shape == (256, 5120)
    bias = constants["resnet.seg_1.bias"]
    path.write_bytes(matrix.astype("<f4").tobytes() + bias.astype("<f4").tobytes())


# ---- int8


def quantized_tensors(graph):
    """Activations that are quantized: what convolutions and sums read, and what they (or the Relu behind) give."""
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    constants = {t.name for t in graph.initializer}
    names = []
    for node in graph.node:
        if node.op_type not in ("Conv", "Add"):
            continue
        names += [i for i in (node.input[:1] if node.op_type == "Conv" else node.input) if i not in constants]
        behind = readers.get(node.output[0], [])
        relu = len(behind) == 1 and behind[0].op_type == "Relu"
        names.append(behind[0].output[0] if relu else node.output[0])
    return list(dict.fromkeys(names))


def quantize(model, ranges):
    """The float trunk with QuantizeLinear and DequantizeLinear around what is to run in int8."""
    graph = model.graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    tensors = {}
    scales = {}

    def constant(name, value):
        tensors[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def pair(name):
        low, high = min(ranges[name][0], 0.0), max(ranges[name][1], 0.0)
        scale = np.float32((high - low) / 255)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        scales[name] = scale
        parts = [constant(name + "/scale", scale), constant(name + "/zero", zero)]
        return [
            helper.make_node("QuantizeLinear", [name, *parts], [name + "/q"]),
            helper.make_node("DequantizeLinear", [name + "/q", *parts], [name + "/dq"]),
        ]

    def conv(node):
        activation, weight, *bias = node.input
        matrix = weights[weight]
        largest = np.abs(matrix).reshape(len(matrix), -1).max(1)
        scale = (np.maximum(largest, 1e-8) / np.float32(127)).astype(np.float32)
        shaped = scale.reshape(-1, *[1] * (matrix.ndim - 1))
        constant(weight + "/q", np.clip(np.rint(matrix / shaped), -127, 127).astype(np.int8))
        constant(weight + "/scale", scale)
        constant(weight + "/zero", np.zeros(len(matrix), np.int8))
        made = [helper.make_node("DequantizeLinear", [weight + s for s in ("/q", "/scale", "/zero")], [weight + "/dq"], axis=0)]
        inputs = [activation + "/dq", weight + "/dq"]
        for name in bias:
            step = (scale * scales[activation]).astype(np.float32)
            limit = 2**31 - 1
            constant(name + "/q", np.clip(np.rint(weights[name] / step.astype(np.float64)), -limit, limit).astype(np.int32))
            constant(name + "/scale", step)
            constant(name + "/zero", np.zeros(len(step), np.int32))
            made.append(helper.make_node("DequantizeLinear", [name + s for s in ("/q", "/scale", "/zero")], [name + "/dq"], axis=0))
            inputs.append(name + "/dq")
        new = onnx.NodeProto()
        new.CopyFrom(node)
        del new.input[:]
        new.input.extend(inputs)
        return [*made, new]

    names = quantized_tensors(graph)
    nodes = []
    for value in graph.input:
        if value.name in names:
            nodes += pair(value.name)
    for node in graph.node:
        if node.op_type == "Conv":
            nodes += conv(node)
        else:
            new = onnx.NodeProto()
            new.CopyFrom(node)
            if node.op_type == "Add" or any(i in scales for i in node.input):
                inputs = [i + "/dq" if i in scales else i for i in node.input]
                del new.input[:]
                new.input.extend(inputs)
            nodes.append(new)
        for output in node.output:
            if output in names:
                nodes += pair(output)
    read = {i for node in nodes for i in node.input}
    kept = [t for t in graph.initializer if t.name in read] + [t for t in tensors.values() if t.name in read]
    new_graph = helper.make_graph(nodes, "graph", graph.input, graph.output, kept)
    return helper.make_model(new_graph, opset_imports=model.opset_import, ir_version=8)


# ---- calibration: needs onnxruntime and kaldi-native-fbank; not part of a build


def features(path):
    import wave

    import kaldi_native_fbank as knf

    with wave.open(str(path)) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)
    assert (rate, channels) == (16000, 1), f"{path} is not 16 kHz mono"
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = 80
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(16000, samples.tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def blocks(paths):
    for path in paths:
        frames = features(path)
        for at in range(0, len(frames), 1000):
            block = frames[at : at + 1000]
            if len(block) >= 100:
                yield (block - block.mean(0))[None].astype(np.float32)


def calibrate(model, paths):
    import onnxruntime

    names = quantized_tensors(model.graph)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    ranges = {}
    for block in blocks(paths):
        for name, value in zip(names, session.run(names, {"fbank": block})):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))
    rounded = {name: [float(f"{low:.5g}"), float(f"{high:.5g}")] for name, (low, high) in ranges.items()}
    RANGES.write_text(json.dumps(rounded, indent=1) + "\n")


def main(library, out, *rest):
    library, out = pathlib.Path(library), pathlib.Path(out)
    segmentation = to_onnx(symbol_bytes(library, SEGMENTATION))
    save(cut(segmentation, ["waveforms"], CLASSES, ["batch", 589, 7]), out / "segmentation.onnx")
    embedding = to_onnx(symbol_bytes(library, EMBEDDING))
    save_projection(embedding, out / "projection.bin")
    trunk = cut(embedding, ["fbank"], TRUNK_END, ["batch", 2560, "columns"])
    save(trunk, out / "trunk-float.onnx")
    if rest[:1] == ("--calibrate",):
        calibrate(trunk, rest[1:])
    save(quantize(trunk, json.loads(RANGES.read_text())), out / "trunk-int8.onnx")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
