"""The short-time Fourier transform of 20 samples as a convolution: onnxruntime takes 50 times as long."""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from kokoro_server.model.onnx.graph_index import Links, swap, tensor

NOTHING = 1e-20  # beside a signal of one; float32 still tells its sign


def convolve_spectra(model: ModelProto) -> ModelProto:
    """Replace each one-sided STFT whose window and step are constants; within 1e-5 of the signal's peak."""
    links = Links(model.graph)
    swaps: dict[str, list[NodeProto]] = {}
    weights: list[TensorProto] = []
    for node in model.graph.node:
        if node.op_type == "STFT" and _fixed(links, node):
            nodes, tensors = _convolution(links, node)
            swaps[node.output[0]] = nodes
            weights.extend(tensors)
    swap(model.graph, swaps, weights)
    return model


def _fixed(links: Links, node: NodeProto) -> bool:
    one_sided = all(a.i == 1 for a in node.attribute if a.name == "onesided")
    return one_sided and len(node.input) > 2 and all(name in links.constants for name in node.input[1:3])


def _convolution(links: Links, node: NodeProto) -> tuple[list[NodeProto], list[TensorProto]]:
    """Signal [1, length(, 1)] to the STFT's own layout [1, frames, bins, 2]."""
    step = int(np.asarray(links.constant(node.input[1])).item())
    filters = _filters(np.asarray(links.constant(node.input[2]), np.float64))
    bins = len(filters) // 2
    names = [f"{node.name}_{part}" for part in ("filters", "signal_shape", "parts_shape", "signal", "both", "parts")]
    weight, signal_shape, parts_shape, signal, both, parts = names
    constants = [
        tensor(weight, filters.astype(np.float32)),
        tensor(signal_shape, np.array([1, 1, -1], np.int64)),
        tensor(parts_shape, np.array([1, 2, bins, -1], np.int64)),
    ]
    nodes = [
        helper.make_node("Reshape", [node.input[0], signal_shape], [signal], name=signal),
        helper.make_node("Conv", [signal, weight], [both], name=both, strides=[step]),
        helper.make_node("Reshape", [both, parts_shape], [parts], name=parts),
        helper.make_node("Transpose", [parts], [node.output[0]], name=f"{node.name}_out", perm=[0, 3, 2, 1]),
    ]
    return nodes, constants


def _filters(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windowed cosines, then negative sines: [2 * bins, 1, length]."""
    length = len(window)
    turns = np.outer(np.arange(length // 2 + 1), np.arange(length)) / length
    cosines, sines = np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)
    # The first and last bins are real. The graph takes a negative one's phase for +π when its imaginary part
    # is above nothing, as a Fourier transform has it, and for -π at nothing itself: that costs the voice.
    sines[[0, -1]] = -NOTHING * cosines[[0, -1]]
    return (np.concatenate([cosines, sines]) * window)[:, None, :]
