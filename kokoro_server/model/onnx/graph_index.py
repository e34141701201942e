"""Who makes and who reads each tensor of an ONNX graph, and how a pass swaps nodes in it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

Array = NDArray[np.float32]


class Links:
    """An index over one graph; take a new one after the graph has changed."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.constants: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self.maker: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in filter(None, node.input):
                self.readers.setdefault(name, []).append(node)

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The value of an initializer, or None when the tensor is computed."""
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def only_reader(self, name: str, op: str) -> NodeProto | None:
        """The single node that reads a tensor, when there is just one and it is an `op`."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == op else None

    def ancestors(self, name: str, steps: int) -> Iterable[NodeProto]:
        """The makers of a tensor, at most `steps` nodes upwards."""
        node = self.maker.get(name)
        if node is None or steps == 0:
            return
        yield node
        for source in filter(None, node.input):
            yield from self.ancestors(source, steps - 1)


def swap(graph: GraphProto, swaps: Mapping[str, list[NodeProto]], weights: Iterable[TensorProto] = ()) -> None:
    """Put new nodes where the maker of each named tensor stood, add weights, and drop what nothing reads."""
    nodes: list[NodeProto] = []
    for node in graph.node:
        replaced = next((name for name in node.output if name in swaps), None)
        nodes.extend([node] if replaced is None else swaps[replaced])
    graph.initializer.extend(weights)
    keep_used(graph, nodes)


def keep_used(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Leave the nodes and initializers that some output of the graph needs; `nodes` are in running order."""
    used = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def tensor(name: str, values: NDArray[np.generic]) -> TensorProto:
    """An initializer that holds the values, contiguous as ONNX wants them."""
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
