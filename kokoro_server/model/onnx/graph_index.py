"""Index the producer and the consumers of each tensor of an ONNX graph, and replace nodes in it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

Array = NDArray[np.float32]


class GraphIndex:
    """Index one graph by tensor name; it goes stale when the graph changes.

    `constants` are the initializers, `producers` the node that computes a tensor, `consumers` the nodes that read it.
    """

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.constants: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self.producers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output if name}
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in filter(None, node.input):
                self.consumers.setdefault(name, []).append(node)

    def get_constant(self, name: str) -> NDArray[np.generic] | None:
        """Return the value of an initializer, or None if the tensor is computed."""
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def get_only_consumer(self, name: str, op: str) -> NodeProto | None:
        """Return the node that reads a tensor if there is exactly one and it is an `op`, else None."""
        readers = self.consumers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == op else None

    def iterate_ancestors(self, name: str, steps: int) -> Iterable[NodeProto]:
        """Yield the nodes that a tensor is computed by, at most `steps` nodes upwards."""
        node = self.producers.get(name)
        if node is None or steps == 0:
            return
        yield node
        for source in filter(None, node.input):
            yield from self.iterate_ancestors(source, steps - 1)


def replace_producers(
    graph: GraphProto, swaps: Mapping[str, list[NodeProto]], weights: Iterable[TensorProto] = ()
) -> None:
    """Replace the producer of each named tensor by new nodes, add weights, and drop what nothing reads.

    Args:
        graph: Changed in place.
        swaps: New nodes by the name of a tensor that the old node computes; one of them has to compute it.
        weights: Initializers to add.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        replaced = next((name for name in node.output if name in swaps), None)
        nodes.extend([node] if replaced is None else swaps[replaced])
    graph.initializer.extend(weights)
    keep_used(graph, nodes)


def keep_used(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Keep only the nodes and initializers that an output of the graph needs; `nodes` are in topological order."""
    # Backwards, every consumer comes before its producer, so one pass is enough.
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


def make_initializer(name: str, values: NDArray[np.generic]) -> TensorProto:
    """Make an initializer from values, copied if they are not contiguous, as ONNX requires."""
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
