"""Reads Kokoro's weights out of the fp32 ONNX graph, under the names that hexgrad's torch model gives them.

The graph was exported from that model: a node's name is the path of the module that it came from, and most
initializers kept their names. What the export changed is undone here: matrices turned, gates reordered.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Weights = dict[str, NDArray[np.float32]]

DIRECTIONS = ("", "_reverse")
# Called from a method of the predictor in the export, so their paths lack it.
OF_PREDICTOR = re.compile(r"^(F0|N|F0_proj|N_proj|shared)(\.|$)")
TABLE = "_quantized_float"  # what `dequantize` leaves at the end of an embedding's name
KEPT = re.compile(r"\.(bias|weight|alpha[12]\.\d|gamma|beta)$")


def torch_weights(model: onnx.ModelProto) -> Weights:
    """The weights by hexgrad's names; weight norm is not yet taken apart (into `x.weight_g` and `_v`)."""
    arrays = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    weights = {module_of_initializer(name): value for name, value in arrays.items() if KEPT.search(name)}
    for node in model.graph.node:
        weights.update(_node_weights(node, arrays))
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}


def module_of_initializer(name: str) -> str:
    """The export has two halves: `encoder.bert.x` and `decoder.decoder.x` are `bert.x` and `decoder.x`."""
    return name.split(".", 1)[1]


def module_of_node(name: str) -> str:
    """`/encoder/text_encoder/cnn.0/cnn.0.1/Conv` is `text_encoder.cnn.0.1`; a second use ends in `_1`."""
    path = name.strip("/").split("/")[1:-1]
    # A sequence and its member both come as steps, `cnn.0` and `cnn.0.1`: the member says it all.
    steps = [step for step, after in pairwise([*path, ""]) if not after.startswith(f"{step}.")]
    module = re.sub(r"_\d+$", "", ".".join(steps))
    return f"predictor.{module}" if OF_PREDICTOR.search(module) else module


def _node_weights(node: onnx.NodeProto, arrays: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if node.op_type == "Gather" and node.input[0].endswith(TABLE):
        yield module_of_initializer(node.input[0].removesuffix(TABLE)), arrays[node.input[0]]
    if len(node.input) < 2 or node.input[1] not in arrays:
        return
    weight = arrays[node.input[1]]
    if node.op_type == "LSTM":
        yield from _lstm_weights(module_of_node(node.name), weight, *(arrays[name] for name in node.input[2:4]))
    elif node.op_type in ("Conv", "ConvTranspose"):
        yield f"{module_of_node(node.name)}.weight", weight
    elif node.op_type == "MatMul":
        yield f"{module_of_node(node.name)}.weight", weight.T


def _lstm_weights(
    module: str, inputs: NDArray[np.float32], state: NDArray[np.float32], bias: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """ONNX stacks the directions, has both biases in one row, and orders the gates i o f c."""
    for direction, suffix in enumerate(DIRECTIONS):
        half = bias.shape[1] // 2
        yield f"{module}.weight_ih_l0{suffix}", gates_for_torch(inputs[direction])
        yield f"{module}.weight_hh_l0{suffix}", gates_for_torch(state[direction])
        yield f"{module}.bias_ih_l0{suffix}", gates_for_torch(bias[direction, :half])
        yield f"{module}.bias_hh_l0{suffix}", gates_for_torch(bias[direction, half:])


def gates_for_torch(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """From ONNX's order of gates (input, output, forget, cell) to torch's (input, forget, cell, output)."""
    into, out, forget, cell = np.split(rows, 4)
    return np.concatenate([into, forget, cell, out])
