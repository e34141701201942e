"""Weights that go back from an exported graph to torch's names and layout."""

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

from benchmarks.hexgrad.checkpoint import gates_for_torch, module_of_node, torch_weights

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def graph(nodes: list[NodeProto], **arrays: Array) -> ModelProto:
    constants = [numpy_helper.from_array(value, name.replace("__", ".")) for name, value in arrays.items()]
    return helper.make_model(helper.make_graph(nodes, "g", [], [], constants))


@pytest.mark.parametrize(
    ("node", "module"),
    [
        ("/encoder/bert_encoder/MatMul_quant_float", "bert_encoder"),
        ("/encoder/text_encoder/cnn.0/cnn.0.1/Conv", "text_encoder.cnn.0.1"),
        ("/decoder/decoder/asr_res/asr_res.0/Conv", "decoder.asr_res.0"),
        ("/decoder/decoder/F0_conv/Conv", "decoder.F0_conv"),
        ("/encoder/F0.1/conv1x1/Conv", "predictor.F0.1.conv1x1"),
        ("/encoder/N_proj/Conv", "predictor.N_proj"),
        ("/encoder/shared/LSTM", "predictor.shared"),
        ("/encoder/bert/encoder/albert_layer_groups.0/albert_layers.0/ffn_output_11/MatMul",
         "bert.encoder.albert_layer_groups.0.albert_layers.0.ffn_output"),
    ],
)  # fmt: skip
def test_a_node_names_its_module(node: str, module: str) -> None:
    assert module_of_node(node) == module


def test_convolutions_stay_and_matrices_are_turned() -> None:
    kernel = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    nodes = [
        helper.make_node("Conv", ["x", "k", "encoder.F0_proj.bias"], ["y"], "/encoder/F0_proj/Conv"),
        helper.make_node("MatMul", ["x", "m"], ["z"], "/encoder/bert_encoder/MatMul"),
        helper.make_node("MatMul", ["y", "z"], ["w"], "MatMul_token_7"),
    ]
    weights = torch_weights(graph(nodes, k=kernel, m=matrix, encoder__bert_encoder__bias=np.ones(3, np.float32)))
    np.testing.assert_array_equal(weights["predictor.F0_proj.weight"], kernel)
    np.testing.assert_array_equal(weights["bert_encoder.weight"], matrix.T)
    np.testing.assert_array_equal(weights["bert_encoder.bias"], np.ones(3))
    assert len(weights) == 3


def test_an_embedding_is_the_table_behind_its_rows() -> None:
    table = np.array([[0.0, 1.0], [-1.0, 3.0]], np.float32)
    node = helper.make_node("Gather", ["encoder.bert.e.weight_quantized_float", "tokens"], ["rows"])
    weights = torch_weights(graph([node], encoder__bert__e__weight_quantized_float=table))
    np.testing.assert_array_equal(weights["bert.e.weight"], table)


def test_the_gates_of_an_lstm_are_put_in_order() -> None:
    into, out, forget, cell = (np.full((2, 1), gate, np.float32) for gate in (1, 2, 3, 4))
    stacked = np.concatenate([into, out, forget, cell])
    np.testing.assert_array_equal(gates_for_torch(stacked)[::2, 0], [1, 3, 4, 2])


def test_an_lstm_is_taken_apart_by_direction() -> None:
    inputs = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    bias = np.arange(16, dtype=np.float32).reshape(2, 8)
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], "/encoder/predictor/lstm/LSTM_quant_float")
    weights = torch_weights(graph([node], w=inputs, r=inputs + 100, b=bias))
    np.testing.assert_array_equal(weights["predictor.lstm.weight_ih_l0"][1], inputs[0, 2])
    np.testing.assert_array_equal(weights["predictor.lstm.weight_hh_l0_reverse"][3], inputs[1, 1] + 100)
    np.testing.assert_array_equal(weights["predictor.lstm.bias_ih_l0"], [0, 2, 3, 1])
    np.testing.assert_array_equal(weights["predictor.lstm.bias_hh_l0_reverse"], [12, 14, 15, 13])
    assert len(weights) == 8
