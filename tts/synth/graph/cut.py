"""Cut Kokoro's graph where its own decoder begins and ends, and read that decoder's parameters out of it."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from tts.synth.graph.links import Links, keep_used

Array = NDArray[np.float32]

# A node is named after its module: /decoder/decoder/generator/ups.0/ConvTranspose.
PLACE = re.compile(r"(?:^|/)decoder/((?:encode|decode\.\d|asr_res|generator)/.+)/(Conv|ConvTranspose|Gemm)")
ALPHA = re.compile(r"decoder\.(generator\..+\.alpha[12]\.\d)$")


class Unrecognised(ValueError):
    """The graph is not laid out as Kokoro's decoder is known to be; it runs as a whole instead."""


def decoder_parameters(model: ModelProto) -> dict[str, Array]:
    """Weights and biases by module: `encode.conv1.weight` [out, in, taps], `….fc.weight` [style, out].

    Raises Unrecognised when a weight is not a constant of the graph.
    """
    links = Links(model.graph)
    found: dict[str, Array] = {}
    for node in model.graph.node:
        if place := _place(node):
            found.update(_weights(links, node, place))
    for name in links.constants:
        if match := ALPHA.search(name):
            found[match[1]] = _constant(links, name).reshape(-1)
    return found


def _place(node: NodeProto) -> str:
    match = PLACE.search(node.name) if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") else None
    return match[1].replace("/", ".") if match else ""


def _weights(links: Links, node: NodeProto, place: str) -> dict[str, Array]:
    weight = _constant(links, node.input[1])
    if node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
        weight = weight.T
    bias = node.input[2] if len(node.input) > 2 else _added_bias(links, node.output[0])
    width = weight.shape[0] if node.op_type == "Conv" else weight.shape[1]
    values = _constant(links, bias) if bias else np.zeros(width, np.float32)
    return {f"{place}.weight": weight, f"{place}.bias": values}


def _added_bias(links: Links, product: str) -> str:
    """The constant that the next node adds; "" for a product without one."""
    add = links.only_reader(product, "Add")
    return next((name for name in add.input if name in links.constants), "") if add else ""


def _constant(links: Links, name: str) -> Array:
    value = links.constant(name)
    if value is None:
        raise Unrecognised(f"{name!r} is computed, a constant was expected")
    return value.astype(np.float32)


def decoder_tensors(model: ModelProto) -> dict[str, str]:
    """The tensors that enter and leave the decoder: `mixed` [1, 514, frames] (text, F0,
    energy), `source` [1, 22, time] (the harmonics' spectrum) and `spectrum` [1, 22, time].
    """
    places = {_place(node): node for node in model.graph.node if node.op_type == "Conv"}
    try:
        return {
            "mixed": places["encode.conv1x1"].input[0],
            "source": places["generator.noise_convs.0"].input[0],
            "spectrum": places["generator.conv_post"].output[0],
        }
    except KeyError as missing:
        raise Unrecognised(f"no convolution {missing} in the graph") from missing


def cut(model: ModelProto, inputs: Mapping[str, Sequence[int | str]], outputs: Iterable[str]) -> ModelProto:
    """The part of a graph between tensors; `inputs` are names and shapes, or none for the graph's own."""
    part = ModelProto()
    part.CopyFrom(model)
    graph = part.graph
    if inputs:
        del graph.input[:]
        graph.input.extend(_float(name, shape) for name, shape in inputs.items())
    own = {output.name: output for output in graph.output}
    del graph.output[:]
    graph.output.extend(own.get(name) or _float(name, None) for name in outputs)
    keep_used(graph, [node for node in graph.node if not set(node.output) & set(inputs)])
    _forget_shapes(graph)
    return part


def _float(name: str, shape: Sequence[int | str] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _forget_shapes(graph: GraphProto) -> None:
    """Shapes inferred for the whole graph say nothing about a part of it."""
    del graph.value_info[:]
