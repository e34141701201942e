"""Rewrite onnxruntime's dynamic int8 quantization as float32 operators over the same weights.

The int8 graph quantizes every activation before each product. Float32 operators over the stored weights skip these
roundings: they are the reference that every faster form is compared with.

    DynamicQuantizeLinear -> ConvInteger -> (Add) -> Cast -> Mul     becomes     Conv
    DynamicQuantizeLinear -> MatMulInteger -> (Add) -> Cast -> Mul   becomes     MatMul
    DynamicQuantizeLSTM                                              becomes     LSTM
    Gather -> DequantizeLinear                                       becomes     Gather of a float table
"""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from kokoro_server.model.onnx.graph_index import GraphIndex, make_initializer, replace_producers

FLOAT_OPERATOR = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}


def dequantize(model: ModelProto) -> ModelProto:
    """Replace integer Conv, MatMul, LSTM and tables by float ones, in place; a float graph passes unchanged.

    Results are within a quantization step of the int8 graph's; the weights themselves are exact. Raises ValueError if
    a quantized operator has an unknown surrounding.
    """
    links = GraphIndex(model.graph)
    swaps: dict[str, list[NodeProto]] = {}
    weights: dict[str, TensorProto] = {}
    for node in model.graph.node:
        if node.op_type in FLOAT_OPERATOR:
            replaced = _make_float_product(links, node, weights)
        elif node.op_type == "DynamicQuantizeLSTM":
            replaced = _make_float_lstm(links, node, weights)
        elif node.op_type == "DequantizeLinear" and _is_table_lookup(links, node.input[0]):
            replaced = _make_float_gather(links, node, weights)
        else:
            continue
        swaps[replaced.output[0]] = [replaced]
    replace_producers(model.graph, swaps, weights.values())
    return model


def _make_float_product(links: GraphIndex, node: NodeProto, weights: dict[str, TensorProto]) -> NodeProto:
    """Make one node for quantized product → bias → Cast → Mul by both scales, with the name of the Mul's output."""
    activation = links.producers[node.input[0]].input[0]
    sum_, bias = _make_bias(links, node.output[0])
    cast = _get_consumer(links, sum_, "Cast")
    rescale = _get_consumer(links, cast.output[0], "Mul")
    scales = links.producers[next(name for name in rescale.input if name != cast.output[0])]
    scale = next(name for name in scales.input if name in links.constants)
    weight = _add_float_weight(links, node.input[1], scale, node.input[3] if len(node.input) > 3 else "", weights)
    inputs = [activation, weight, *([bias] if bias else [])]
    return _make_node(FLOAT_OPERATOR[node.op_type], inputs, [rescale.output[0]], node)


def _make_bias(links: GraphIndex, product: str) -> tuple[str, str]:
    """Return the tensor after the quantized bias, and the float bias it was computed from ("" if there is none)."""
    add = links.get_only_consumer(product, "Add")
    if add is None:
        return product, ""
    name = next(name for name in add.input if name != product)
    # The graph quantizes the bias at run time, in a chain of nodes whose first inputs lead to the float constant.
    while name not in links.constants:
        name = links.producers[name].input[0]
    return add.output[0], name


def _make_float_lstm(links: GraphIndex, node: NodeProto, weights: dict[str, TensorProto]) -> NodeProto:
    """Make the LSTM of a DynamicQuantizeLSTM, whose weights are transposed and scaled for each direction."""
    inputs = list(node.input)
    # Inputs 1 and 2 are the weights W and R; 8 and 9 scale and zero point of W, 10 and 11 those of R.
    for place, scale in ((1, 8), (2, 10)):
        inputs[place] = _add_float_weight(
            links, inputs[place], inputs[scale], inputs[scale + 1], weights, transposed=True
        )
    return _make_node("LSTM", inputs[:8], list(node.output), node)


def _is_table_lookup(links: GraphIndex, name: str) -> bool:
    """Return whether a tensor is rows of a constant table."""
    maker = links.producers.get(name)
    return maker is not None and maker.op_type == "Gather" and maker.input[0] in links.constants


def _make_float_gather(links: GraphIndex, node: NodeProto, weights: dict[str, TensorProto]) -> NodeProto:
    """Make a Gather from the float table in place of dequantized rows of the quantized one."""
    gather = links.producers[node.input[0]]
    table = _add_float_weight(
        links, gather.input[0], node.input[1], node.input[2] if len(node.input) > 2 else "", weights
    )
    return _make_node("Gather", [table, gather.input[1]], [node.output[0]], gather)


def _add_float_weight(  # the inputs of a quantized operator, by the order of the ONNX specification
    links: GraphIndex, name: str, scale: str, zero: str, weights: dict[str, TensorProto], transposed: bool = False
) -> str:
    """Add the float form of a quantized weight to `weights` unless it is there, and return its name."""
    float_name = f"{name}_float"
    if float_name not in weights:
        # value = (integer - zero point) * scale
        integers = _get_constant(links, name) - (
            _reshape_per_direction(_get_constant(links, zero), transposed) if zero else np.float32(0)
        )
        values = integers * _reshape_per_direction(_get_constant(links, scale), transposed)
        weights[float_name] = make_initializer(float_name, values.transpose(0, 2, 1) if transposed else values)
    return float_name


def _reshape_per_direction(values: NDArray[np.float32], per_direction: bool) -> NDArray[np.float32]:
    """Reshape [directions] or [directions, columns] to broadcast over [directions, rows, columns]."""
    if not per_direction or values.ndim == 0:
        return values
    return values[:, None, None] if values.ndim == 1 else values[:, None, :]


def _get_constant(links: GraphIndex, name: str) -> NDArray[np.float32]:
    """Return a constant's values. Raises ValueError if the tensor is computed."""
    values = links.get_constant(name)
    if values is None:
        raise ValueError(f"cannot dequantize: {name!r} is computed, a constant was expected")
    return values.astype(np.float32)


def _get_consumer(links: GraphIndex, name: str, op: str) -> NodeProto:
    """Return the one node, an `op`, that reads a tensor. Raises ValueError if there is none."""
    reader = links.get_only_consumer(name, op)
    if reader is None:
        raise ValueError(f"cannot dequantize: {name!r} should be read by one {op}")
    return reader


def _make_node(op: str, inputs: list[str], outputs: list[str], like: NodeProto) -> NodeProto:
    """Make a node with the attributes of another. Its name keeps the module's path, which read_parameters looks for."""
    node = helper.make_node(op, inputs, outputs, name=f"{like.name}_float")
    node.attribute.extend(like.attribute)
    return node
