"""Run Kokoro's encoder: tokens and a style to durations, aligned text, pitch and energy.

    ALBERT            tokens -> [tokens, 512]: 12 passes through one layer of 768 channels
    durations         three LSTMs, each with AdaIN and the style beside it, then one more -> frames of each token
    pitch, energy     every token's row repeated for its frames, an LSTM, three AdaIN blocks each -> [2 * frames]
    text encoder      embeddings, three filters, an LSTM -> [tokens, 512], repeated for the frames

Sizes are those of hexgrad/Kokoro-82M's config.json. Signals are rows [tokens or frames, channels].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.kernels.lstm import interleave_gates
from kokoro_server.model.kernels.norm import BERT_EPSILON, EPSILON
from kokoro_server.model.native.activations import SPARE_ROWS, Array
from kokoro_server.model.native.blocks import (
    PLAIN,
    SPLIT,
    NetworkPart,
    PackedArrays,
    Weights,
    make_window_matrix,
    prepare_adain,
    prepare_dense,
    prepare_styles,
)
from kokoro_server.model.native.layers import Lstm, leaky_relu

Frames = NDArray[np.int64]

LAYER = "bert.encoder.albert_layer_groups.0.albert_layers.0"
PASSES, HEADS, HIDDEN = 12, 12, 768  # ALBERT shares one layer's weights between its 12 passes
TEXT = 512  # channels of the text encoder
LSTMS = ("predictor.text_encoder.lstms.0", "predictor.text_encoder.lstms.2", "predictor.text_encoder.lstms.4",
         "predictor.lstm", "shared", "text_encoder.lstm")  # fmt: skip
CURVES = ("F0", "N")
TEXT_TAPS = 5


@dataclass(frozen=True)
class EncoderOutput:
    """Hold the encoder's output.

    `frames` [tokens] are durations of 25 ms each; `mixed` [sum of frames, 514] is the decoder's input: aligned text,
    F0 and energy; `pitch` [2 * sum of frames] is F0 in Hz.
    """

    frames: Frames
    mixed: Array
    pitch: Array


def prepare_encoder(parameters: Weights, target: Target) -> PackedArrays:
    """Pack the encoder's parameters for the target, by the names that EncoderPass uses."""
    ready = _prepare_bert(parameters, target)
    for name in LSTMS:
        ready.update(_prepare_lstm(parameters, name, target))
    name = "predictor.duration_proj.linear_layer"
    ready.update(prepare_dense(name, parameters[f"{name}.weight"], parameters[f"{name}.bias"], target, SPLIT))
    adains = [f"{curve}.{i}" for curve in CURVES for i in range(3)]
    for name in adains:
        ready.update(prepare_adain(parameters, name, target, SPLIT))
    norms = [f"predictor.text_encoder.lstms.{i}" for i in (1, 3, 5)]
    norms += [f"{name}.norm{part}" for name in adains for part in (1, 2)]
    ready.update(prepare_styles(parameters, EncoderPass.STYLES, norms))
    for curve in CURVES:
        for name in (f"{curve}_proj", f"{curve}_conv"):
            ready[f"{name}.weight"], ready[f"{name}.bias"] = _prepare_curve(parameters, name)
    ready["text_encoder.embedding.weight"] = parameters["text_encoder.embedding.weight"]
    for i in range(3):
        conv = f"text_encoder.cnn.{i}.cnn.{i}.0"
        ready.update(prepare_dense(conv, *make_window_matrix(parameters, conv), target, PLAIN))
        for part in ("gamma", "beta"):
            ready[f"text_encoder.cnn.{i}.{part}"] = parameters[f"text_encoder.cnn.{i}.1.{part}"]
    return ready


def _prepare_bert(parameters: Weights, target: Target) -> PackedArrays:
    """Pack ALBERT's parameters, with query, key and value as one dense layer."""
    ready: PackedArrays = {}
    # Attention divides its scores by the root of a head's width (64): the query's weights take it.
    scale = {"query": np.float32(np.sqrt(HEADS / HIDDEN)), "key": np.float32(1), "value": np.float32(1)}
    joined = {
        part: np.concatenate([parameters[f"{LAYER}.attention.{k}.{part}"] * s for k, s in scale.items()], axis=-1)
        for part in ("weight", "bias")
    }
    ready.update(prepare_dense("attention", joined["weight"], joined["bias"], target, SPLIT))
    plain = {
        "attention.dense": f"{LAYER}.attention.dense",
        "ffn": f"{LAYER}.ffn",
        "ffn_output": f"{LAYER}.ffn_output",
        "bert_in": "bert.encoder.embedding_hidden_mapping_in",
        "bert_out": "bert_encoder",
    }
    for name, source in plain.items():
        bias = parameters[f"{source}.bias"]
        ready.update(prepare_dense(name, parameters[f"{source}.weight"], bias, target, SPLIT))
    for kind in ("word", "position", "token_type"):
        ready[kind] = parameters[f"bert.embeddings.{kind}_embeddings.weight"]
    for name in (
        "bert.embeddings.LayerNorm",
        f"{LAYER}.attention.LayerNorm",
        f"{LAYER}.full_layer_layer_norm",
    ):
        ready[f"{name}.weight"], ready[f"{name}.bias"] = (
            parameters[f"{name}.weight"],
            parameters[f"{name}.bias"],
        )
    return ready


def _prepare_lstm(parameters: Weights, name: str, target: Target) -> PackedArrays:
    """Pack an LSTM: the input weights of both directions as one dense layer, the state weights for the kernel."""
    weight = parameters[f"{name}.input"]
    # [2, 4 * units, in] to [in, 2 * 4 * units].
    matrix = weight.reshape(-1, weight.shape[2]).T
    state = np.stack([interleave_gates(direction, target.width) for direction in parameters[f"{name}.state"]])
    return {
        **prepare_dense(name, matrix, parameters[f"{name}.bias"].reshape(-1), target, SPLIT),
        f"{name}.state": state,
    }


def _prepare_curve(parameters: Weights, name: str) -> tuple[Array, Array]:
    """Return the weights of a filter with one output, [in * taps], and its bias."""
    return parameters[f"{name}.weight"].reshape(-1), parameters[f"{name}.bias"]


class EncoderPass(NetworkPart):
    """Run one utterance through the encoder; `style` is the predictors' half, [128]."""

    STYLES = "encoder.styles"

    def encode(self, tokens: NDArray[np.int64], speed: float) -> EncoderOutput:
        """Predict durations, pitch and energy, and encode the text.

        Args:
            tokens: Ids [tokens] with a zero at both ends.
            speed: Factor that durations are divided by.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        styled = self._run_duration_lstms(self._run_bert(tokens))
        frames = self._predict_frames(styled, speed)
        shared = self._run_lstm("shared", styled, repeats=frames)
        pitch, energy = (self._predict_curve(curve, shared) for curve in CURVES)
        text = np.repeat(self._encode_text(tokens), frames, axis=0)
        curves = [self._halve_curve("F0_conv", pitch), self._halve_curve("N_conv", energy)]
        return EncoderOutput(frames, np.concatenate([text, np.stack(curves, axis=1)], axis=1), pitch)

    def _run_bert(self, tokens: NDArray[np.int64]) -> Array:
        """Run ALBERT and its projection to [tokens, 512]."""
        weights, count = self.weights, len(tokens)
        embedded = weights["word"][tokens] + weights["token_type"][0] + weights["position"][:count]
        x = self._multiply_rows("bert_in", self._layer_norm(embedded, "bert.embeddings.LayerNorm", BERT_EPSILON))
        for _ in range(PASSES):
            self._join(x, "attention.dense", _attend(self._multiply_rows("attention", x)), "attention.LayerNorm")
            inner = self._multiply_rows("ffn", x)
            self.context.call("gelu", inner, inner.size)
            self._join(x, "ffn_output", inner, "full_layer_layer_norm")
        return self._multiply_rows("bert_out", x)

    def _join(self, x: Array, dense: str, inner: Array, norm: str) -> None:
        """Compute x = layer_norm(x + dense(inner)) in place."""
        outputs = self._multiply_rows(dense, inner)
        gamma, beta = (self.weights[f"{LAYER}.{norm}.{part}"] for part in ("weight", "bias"))
        self.context.call("layer_norm", x, outputs, gamma, beta, *x.shape)

    def _run_duration_lstms(self, x: Array) -> Array:
        """Return [tokens, 640]: three LSTMs, each followed by an adaptive layer norm, the style as 128 channels."""
        style = np.broadcast_to(self._style, (len(x), len(self._style)))
        for i in (0, 2, 4):
            y = self._run_lstm(f"predictor.text_encoder.lstms.{i}", np.concatenate([x, style], axis=1))
            gamma, beta = self.get_style(f"predictor.text_encoder.lstms.{i + 1}")
            x = _normalize_rows(y, EPSILON) * (1 + gamma) + beta
        return np.concatenate([x, style], axis=1)

    def _predict_frames(self, styled: Array, speed: float) -> Frames:
        """Return the frames of each token, at least one: the sum of 50 sigmoids, divided by the speed and rounded."""
        hidden = self._run_lstm("predictor.lstm", styled)
        logits = self._multiply_rows("predictor.duration_proj.linear_layer", hidden)[:, :50]
        lengths = (1 / (1 + np.exp(-logits))).sum(axis=1) / np.float32(speed)
        frames: Frames = np.maximum(np.rint(lengths), 1).astype(np.int64)
        return frames

    def _predict_curve(self, name: str, shared: Array) -> Array:
        """Predict F0 or energy [2 * frames] from the shared rows [frames, 512]: three AdaIN blocks and a projection."""
        length = len(shared)
        x = self.context.with_stats(_append_spare_rows(shared), length)
        rows = self.run_adain(f"{name}.0", x, self.context.arena.get_rows("curve.0", length, shared.shape[1]))
        half = len(self.weights[f"{name}.1.conv2.bias"])
        rows = self.run_adain_up(f"{name}.1", rows, self.context.arena.get_rows("curve.1", 2 * length, half))
        rows = self.run_adain(f"{name}.2", rows, self.context.arena.get_rows("curve.2", 2 * length, half))
        curve: Array = rows.values @ self.weights[f"{name}_proj.weight"] + self.weights[f"{name}_proj.bias"]
        return curve

    def _halve_curve(self, name: str, curve: Array) -> Array:
        """Apply a filter of three taps at stride two to a curve [2 * frames]; return [frames]."""
        padded = np.pad(curve, 1)
        taps, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        halved: Array = padded[0:-2:2] * taps[0] + padded[1:-1:2] * taps[1] + padded[2::2] * taps[2] + bias
        return halved

    def _encode_text(self, tokens: NDArray[np.int64]) -> Array:
        """Run the text encoder: three filters of 5 taps over the embeddings, then an LSTM; return [tokens, 512]."""
        x = self.weights["text_encoder.embedding.weight"][tokens]
        reach = TEXT_TAPS // 2
        for i in range(3):
            # Windows of 5 rows, 1 row apart, over the padded rows.
            padded = np.pad(x, ((reach, reach + SPARE_ROWS), (0, 0)))
            y = self.context.arena.get_rows("text", len(x), TEXT)
            self.multiply(f"text_encoder.cnn.{i}.cnn.{i}.0", padded, y, len(x), pitch=TEXT)
            gamma, beta = (self.weights[f"text_encoder.cnn.{i}.{part}"] for part in ("gamma", "beta"))
            x = _normalize_rows(y[: len(x)], EPSILON) * gamma + beta
            x = leaky_relu(x, 0.2)
        return self._run_lstm("text_encoder.lstm", x)

    def _run_lstm(self, name: str, x: Array, repeats: Frames | None = None) -> Array:
        layer = Lstm(self.get_dense(name), self.weights[f"{name}.state"])
        return layer(self.context, _append_spare_rows(x), len(x), repeats)

    def _multiply_rows(self, name: str, x: Array) -> Array:
        """Return a dense layer's outputs [rows, padded outputs] as a new array."""
        outputs = len(self.weights[f"{name}.bias"])
        y = np.empty((len(x) + SPARE_ROWS, outputs), np.float32)
        self.multiply(name, _append_spare_rows(x), y, len(x))
        return y[: len(x)]

    def _layer_norm(self, x: Array, name: str, epsilon: float) -> Array:
        return _normalize_rows(x, epsilon) * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _attend(joined: Array) -> Array:
    """Compute softmax(query @ key) @ value for each head: [tokens, 3 * 768] to [tokens, 768]."""
    count = len(joined)
    # [tokens, 3, heads, 64] to three arrays [heads, tokens, 64].
    query, key, value = joined.reshape(count, 3, HEADS, -1).transpose(1, 2, 0, 3)
    scores = query @ key.transpose(0, 2, 1)
    # Subtracting the largest score changes nothing in the quotient and keeps exp from overflowing.
    np.exp(scores - scores.max(axis=-1, keepdims=True), out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    heads = scores @ value
    return heads.transpose(1, 0, 2).reshape(count, -1).astype(np.float32, copy=False)


def _normalize_rows(x: Array, epsilon: float) -> Array:
    """Normalize each row to mean 0 and variance 1."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("tc,tc->t", centred, centred)[:, None] / np.float32(x.shape[-1])
    normal: Array = centred / np.sqrt(variance + np.float32(epsilon))
    return normal


def _append_spare_rows(x: Array) -> Array:
    """Return a copy with SPARE_ROWS rows of zeros at the end."""
    padded = np.empty((len(x) + SPARE_ROWS, x.shape[1]), np.float32)
    padded[: len(x)] = x
    padded[len(x) :] = 0.0
    return padded
