"""Read the parameters of Kokoro's modules from its graph, by the names of the PyTorch modules.

Nodes are named after their modules, and most weights are not: those of MatMul and LSTM nodes are called
onnx::MatMul_123, and a filter whose weight norm was folded after the operator that computed it (.../Mul_output_0). So a
product's weight is found through the node that reads it. Parameters that kept their modules' names, such as Snake's
alphas, are found by these.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from kokoro_server.model.onnx.graph_index import GraphIndex

Array = NDArray[np.float32]

# A node is named after its module: /decoder/decoder/generator/ups.0/ConvTranspose, /encoder/shared/LSTM.
MODULE_PATH = re.compile(r"^/(encoder|decoder/decoder)/(.+)/(?:Conv|ConvTranspose|Gemm|MatMul|LSTM|Gather)(?:_|$)")
# A parameter with its own name: decoder.decoder.generator.resblocks.0.alpha1.0.
PARAMETER_NAME = re.compile(
    r"^(encoder|decoder\.decoder)\.(.+\.(?:alpha[12]\.\d|gamma|beta|weight|bias|window_sum|inverse_basis))$"
)
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "Gather")


class UnknownGraphError(ValueError):
    """Raised when the graph is not laid out as Kokoro's published export; it then runs in onnxruntime."""


class Parameters(dict[str, Array]):
    """Map names to values: `encode.conv1.weight` [out, in, taps], `….fc.weight` [in, out]; float32.

    A missing name raises UnknownGraphError.
    """

    def __missing__(self, name: str) -> Array:
        raise UnknownGraphError(f"the graph has no parameter {name!r}")


def read_parameters(model: ModelProto) -> Parameters:
    """Read every constant that a module owns, from a graph of float operators (see dequantize)."""
    links = GraphIndex(model.graph)
    found = Parameters()
    for name in links.constants:
        if match := PARAMETER_NAME.match(name):
            found[match[2]] = _read_constant(links, name)
    for node in model.graph.node:
        match = MODULE_PATH.match(node.name)
        if match and node.op_type in PRODUCTS:
            found.update(_iterate_node_weights(links, node, match[2].replace("/", ".")))
    return found


def _iterate_node_weights(links: GraphIndex, node: NodeProto, place: str) -> Iterator[tuple[str, Array]]:
    """Yield names and values of one node's weights."""
    if node.op_type == "LSTM":
        yield from zip((f"{place}.input", f"{place}.state", f"{place}.bias"), _read_lstm(links, node), strict=True)
        return
    weight = node.input[0] if node.op_type == "Gather" else node.input[1]
    if weight not in links.constants:
        return
    transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    yield f"{place}.weight", _read_constant(links, weight).T if transposed else _read_constant(links, weight)
    bias = node.input[2] if len(node.input) > 2 else _find_bias(links, node.output[0])
    if bias in links.constants:
        yield f"{place}.bias", _read_constant(links, bias)


def _read_lstm(links: GraphIndex, node: NodeProto) -> tuple[Array, Array, Array]:
    """Return the weights of both directions, [2, 4 * units, in] and [2, 4 * units, units]; bias [2, 4 * units]."""
    if not all(node.input[i] in links.constants for i in (1, 2, 3)):
        raise UnknownGraphError(f"the weights of {node.name!r} are computed, constants were expected")
    weight, state, biases = (_read_constant(links, node.input[i]) for i in (1, 2, 3))
    # ONNX has a bias for the input and one for the state, one after the other; only their sum matters.
    half = biases.shape[1] // 2
    return weight, state, biases[:, :half] + biases[:, half:]


def _find_bias(links: GraphIndex, product: str) -> str:
    """Return the name of the constant that the next node adds; "" if there is none."""
    add = links.get_only_consumer(product, "Add")
    return next((name for name in add.input if name in links.constants), "") if add else ""


def _read_constant(links: GraphIndex, name: str) -> Array:
    """Return a constant as float32."""
    return np.asarray(links.get_constant(name), np.float32)
