"""Add a second output to the graph: the duration of each token as a whole number of frames."""

from onnx import ModelProto, NodeProto, TensorProto, helper

from kokoro_server.model.onnx.graph_index import GraphIndex

FRAMES = "frames"
"""Name of the added output."""


def expose_durations(model: ModelProto) -> ModelProto:
    """Add the output `frames` [1, tokens], int64, in place; a graph without such a tensor passes unchanged.

    Kokoro sums sigmoids, divides by the speed, rounds, and clips to at least one frame: the tensor after that is taken.
    """
    links = GraphIndex(model.graph)
    clipped = next((_find_clipped(links, node) for node in model.graph.node if _rounds_durations(links, node)), None)
    if clipped is None:
        return model
    model.graph.node.append(helper.make_node("Cast", [clipped], [FRAMES], name=FRAMES, to=TensorProto.INT64))
    model.graph.output.append(helper.make_tensor_value_info(FRAMES, TensorProto.INT64, None))
    return model


def _rounds_durations(links: GraphIndex, node: NodeProto) -> bool:
    """Return whether a node rounds the durations: the Round at most four nodes below a Sigmoid."""
    return node.op_type == "Round" and any(
        up.op_type == "Sigmoid" for up in links.iterate_ancestors(node.input[0], steps=4)
    )


def _find_clipped(links: GraphIndex, rounded: NodeProto) -> str:
    """Return the output of the first Clip or Max after the rounding, past casts; of the rounding if there is none."""
    name: str = rounded.output[0]
    while (readers := links.consumers.get(name)) and readers[0].op_type in ("Clip", "Max", "Cast"):
        name = readers[0].output[0]
        if readers[0].op_type != "Cast":
            break
    return name
