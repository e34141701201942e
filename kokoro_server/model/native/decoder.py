"""Run Kokoro's decoder (ISTFTNet): aligned text, pitch and energy to a spectrum. Nine tenths of the network's work.

    encode, decode.0-3    five AdaIN blocks, [frames, 514] -> [2 * frames, 512]; each of the last four sees 64 channels
                          of the text, pitch and energy again
    generator, stage 0    upsample by 10 to 256 channels, add the harmonic source, mean of three residual blocks
    generator, stage 1    upsample by 6 to 128 channels, the same
    conv_post             7 taps to 22 channels: 11 log magnitudes and 11 phases for every 5 samples

The architecture is fixed by the published weights (hexgrad/Kokoro-82M, config.json: upsample rates 10 and 6, kernels 20
and 12, residual blocks of 3, 7 and 11 taps at dilations 1, 3 and 5); the graph has the weights.

The generator's arrays have EDGE_ROWS rows of zeros on either side, so that windows of the next filter need no padding.
"""

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.native.activations import SPARE_ROWS, Activations, Array, Signal, get_storage_dtype
from kokoro_server.model.native.blocks import (
    PLAIN,
    NetworkPart,
    PackedArrays,
    Weights,
    count_padded_channels,
    make_window_matrix,
    prepare_adain,
    prepare_dense,
    prepare_filter,
    prepare_styles,
)

TEXT = 512  # channels of the aligned text; F0 and energy follow them
BLOCK_CHANNELS = 1024  # output channels of the decoder's blocks
ASR_RES_CHANNELS = 64  # channels of asr_res, the text that every decode block sees again
DILATIONS = (1, 3, 5)  # of the three filters in a residual block
TAPS = (3, 7, 11)  # of the three residual blocks of a stage
RATES = (10, 6)  # upsampling of each stage
SLOPES = (0.1, 0.1, 0.01)  # of the leaky ReLU before each upsampling and before conv_post
POST_TAPS = 7  # of conv_post
EDGE_ROWS = POST_TAPS // 2  # rows of zeros on either side: conv_post reaches 3 rows, an upsampling 1
NOISE_TAPS = (7, 11)  # of the source's residual block in each stage
NOISE_STRIDE = 6  # of the first stage's convolution over the source; the second stage's has one tap and stride 1
SOURCE_CHANNELS = 22  # channels of a spectrum: 11 magnitudes and 11 phases


def prepare_decoder(parameters: Weights, target: Target) -> PackedArrays:
    """Pack the decoder's parameters for the target, by the names that DecoderPass uses."""
    ready: PackedArrays = {}
    adains = ("encode", "decode.0", "decode.1", "decode.2", "decode.3")
    blocks = [f"generator.{kind}.{i}" for kind, count in (("resblocks", 6), ("noise_res", 2)) for i in range(count)]
    snakes = [(block, part, i) for block in blocks for i in range(len(DILATIONS)) for part in (1, 2)]
    for name in adains:
        ready.update(prepare_adain(parameters, name, target, PLAIN))
    for block, part, i in snakes:
        ready.update(_prepare_snake(parameters, block, part, i, target))
    norms = [f"{name}.norm{part}" for name in adains for part in (1, 2)]
    norms += [f"{block}.adain{part}.{i}" for block, part, i in snakes]
    ready.update(prepare_styles(parameters, DecoderPass.STYLES, norms))
    for i, rate in enumerate(RATES):
        ready.update(prepare_dense(f"generator.ups.{i}", *_make_upsample_matrix(parameters, i, rate), target, PLAIN))
        noise = f"generator.noise_convs.{i}"
        ready.update(prepare_dense(noise, *make_window_matrix(parameters, noise), target, PLAIN))
    # conv_post reads the sum of three residual blocks in place of their mean: its weights take the third.
    weight, bias = make_window_matrix(parameters, "generator.conv_post")
    ready.update(prepare_dense("generator.conv_post", (weight / len(TAPS)).astype(np.float32), bias, target, PLAIN))
    ready.update(prepare_dense("asr_res", *make_window_matrix(parameters, "asr_res.asr_res.0"), target, PLAIN))
    return ready


def _prepare_snake(parameters: Weights, block: str, part: int, i: int, target: Target) -> PackedArrays:
    """Pack one convolution of a residual block and its Snake's alpha, as alpha / π and 1 / alpha."""
    conv = f"{block}.convs{part}.{i}"
    alpha = parameters[f"{block}.alpha{part}.{i}"]
    norm = f"{block}.adain{part}.{i}"
    return {
        **prepare_filter(conv, parameters[f"{conv}.weight"], parameters[f"{conv}.bias"], "snake", target, PLAIN),
        f"{norm}.alpha_over_pi": (alpha / np.pi).astype(np.float32),
        f"{norm}.inverse_alpha": (1.0 / alpha).astype(np.float32),
    }


def _make_upsample_matrix(parameters: Weights, stage: int, rate: int) -> tuple[Array, Array]:
    """Return a transposed convolution [in, out, 2 * rate] as a matrix [2 * in, rate * out] over windows x[t-1], x[t].

    Output row t * rate + k, 0 <= k < rate, of the transposed convolution is x[t] @ weight[:, :, k] +
    x[t - 1] @ weight[:, :, rate + k]. So one row of the product holds `rate` rows of the upsampled signal.
    """
    # The second stage reads the sum of three residual blocks in place of their mean: its weights take the third.
    weight = parameters[f"generator.ups.{stage}.weight"] / (1 if stage == 0 else len(TAPS))
    inputs, outputs, _ = weight.shape
    halves = weight.reshape(inputs, outputs, 2, rate).transpose(2, 0, 3, 1)
    matrix = np.concatenate([halves[1], halves[0]]).reshape(2 * inputs, rate * outputs)
    return matrix, np.tile(parameters[f"generator.ups.{stage}.bias"], rate)


class DecoderPass(NetworkPart):
    """Run one utterance through the decoder; `style` is the decoder's half, [128]."""

    STYLES = "decoder.styles"

    def compute_spectrum(self, mixed: Array, source: Array) -> Array:
        """Compute the output spectrum.

        Args:
            mixed: Aligned text (512 channels), F0 and energy, [frames, 514].
            source: The harmonic source's spectrum [120 * frames + 1, 22].

        Returns:
            Log magnitudes and phases, [120 * frames + 1, 22]: a view of a buffer that the next utterance overwrites.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        return self.run_generator(self.run_blocks(mixed), source)

    def run_blocks(self, mixed: Array) -> Array:
        """Run the five AdaIN blocks: [frames, 514] to [2 * frames, 512] between rows of zeros."""
        frames = len(mixed)
        x = self.context.arena.get_rows("mixed", frames, count_padded_channels(TEXT + 2))
        x[:frames, : TEXT + 2] = mixed
        x[:, TEXT + 2 :] = 0.0
        names = ("decode.0", "decode.1", "decode.2")
        # Two buffers that take turns as input and output. Their columns: 1024 of the block's output, 64 of asr_res,
        # F0 and energy, then zeros up to the padded width. All but the first 1024 are the same for every block.
        both = [
            self.context.arena.get_rows(
                f"wide.{i}", frames, count_padded_channels(BLOCK_CHANNELS + ASR_RES_CHANNELS + 2)
            )
            for i in (0, 1)
        ]
        aside = self.context.arena.get_rows("aside", frames, ASR_RES_CHANNELS)
        self.multiply("asr_res", x, aside, frames)
        for wide in both:
            wide[:frames, BLOCK_CHANNELS : BLOCK_CHANNELS + ASR_RES_CHANNELS] = aside[:frames]
            wide[:frames, BLOCK_CHANNELS + ASR_RES_CHANNELS : BLOCK_CHANNELS + ASR_RES_CHANNELS + 2] = mixed[:, TEXT:]
            wide[:, BLOCK_CHANNELS + ASR_RES_CHANNELS + 2 :] = 0.0
        rows = self.run_adain("encode", self.context.with_stats(x, frames), both[0])
        for i, name in enumerate(names):
            rows = self.run_adain(name, self._with_asr_res(rows), both[(i + 1) % 2])
        doubled = self.context.arena.get_rows("doubled", 2 * frames + EDGE_ROWS, TEXT)
        self.run_adain_up("decode.3", self._with_asr_res(rows), doubled[EDGE_ROWS:])
        return _zero_edges(doubled, 2 * frames)

    def _with_asr_res(self, rows: Activations) -> Activations:
        """Return all columns of a block's buffer: adds the statistics of those that its convolution did not write."""
        others = self.context.with_stats(rows.data[:, BLOCK_CHANNELS:], rows.length)
        return Activations(
            rows.data,
            rows.length,
            np.concatenate([rows.sums, others.sums]),
            np.concatenate([rows.squares, others.squares]),
        )

    def run_generator(self, signal: Signal, source: Array) -> Array:
        """Run the generator: rows [2 * frames, 512] between zeros, source [time, 22] to a spectrum [time, 22]."""
        harmonics = np.zeros((len(source) + 2 * SPARE_ROWS, SOURCE_CHANNELS), np.float32)
        harmonics[SPARE_ROWS : SPARE_ROWS + len(source)] = source
        length = (len(source) - 1) // np.prod(RATES, dtype=int)
        for stage in range(len(RATES)):
            signal, length = self._run_stage(stage, signal, harmonics, length)
        return self._compute_spectrum(signal, length)

    def _run_stage(self, stage: int, signal: Signal, harmonics: Array, length: int) -> tuple[Signal, int]:
        """Upsample, add the source, and run the residual blocks; return the rows between zeros and their number."""
        up = self._upsample(stage, RATES[stage], signal, length)
        noise = self._run_noise(stage, harmonics, up.length)
        return self._run_residual_blocks(stage, self.context.with_stats(up.data, up.length, noise.data)), up.length

    def get_rows(self, name: str, length: int, channels: int) -> Signal:
        """Return a buffer in the target's storage type. The second stage takes over the buffers of the first."""
        return self.context.arena.get_rows(name, length, channels, get_storage_dtype(self.context.target))

    def _upsample(self, stage: int, rate: int, signal: Signal, length: int) -> Activations:
        """Apply leaky ReLU and the transposed convolution as one product, and trim its ends."""
        name = f"generator.ups.{stage}"
        outputs = len(self.weights[f"{name}.bias"])
        y = self.get_rows("up", length + 1, outputs)
        # Windows x[t - 1], x[t] for t = 0 to length: they start one row before the signal, in its zeros, and overlap.
        self.multiply(name, signal[EDGE_ROWS - 1 :], y, length + 1, pitch=signal.shape[1], slope=SLOPES[stage])
        # [length + 1, rate * channels] is [(length + 1) * rate, channels]: drop `rate // 2` rows, PyTorch's padding.
        flat = y.reshape(-1, outputs // rate)
        first = rate // 2
        if stage == 0:
            return Activations(flat[first:], length * rate, *_make_empty_statistics())
        # The second stage has a ReflectionPad1d((1, 0)): its second output row is mirrored to the front.
        flat[first - 1] = flat[first + 1]
        return Activations(flat[first - 1 :], length * rate + 1, *_make_empty_statistics())

    def _run_noise(self, stage: int, harmonics: Array, length: int) -> Activations:
        """Run the source's strided convolution and residual block for a stage."""
        name = f"generator.noise_convs.{stage}"
        stride, before = (NOISE_STRIDE, NOISE_STRIDE // 2) if stage == 0 else (1, 0)
        y = self.get_rows("noise", length, len(self.weights[f"{name}.bias"]))
        self.multiply(name, harmonics[SPARE_ROWS - before :], y, length, pitch=stride * SOURCE_CHANNELS)
        taps = NOISE_TAPS[stage]
        return self._run_residual_block(f"generator.noise_res.{stage}", taps, self.context.with_stats(y, length), y)

    def _run_residual_blocks(self, stage: int, x: Activations) -> Signal:
        """Return the sum of the three residual blocks between zeros; the weights after it take the third."""
        channels = x.data.shape[1]
        edged = self.get_rows(f"total.{stage}", x.length + EDGE_ROWS, channels)
        total = edged[EDGE_ROWS:]
        other = self.get_rows("noise", x.length, channels)
        for i, taps in enumerate(TAPS):
            block = f"generator.resblocks.{stage * len(TAPS) + i}"
            rows = self._run_residual_block(block, taps, x, other if i else total)
            if i:
                self.context.with_stats(total, x.length, rows.data)
        return _zero_edges(edged, x.length)

    def _run_residual_block(self, block: str, taps: int, x: Activations, y: Signal) -> Activations:
        """Run a residual block into y, which may be x's own array.

        Three times x = x + conv2(snake(norm2(conv1(snake(norm1(x)))))), where conv1 has the dilation 1, 3, 5.
        """
        hidden = self.get_rows("between", x.length, x.data.shape[1])
        for i, dilation in enumerate(DILATIONS):
            inner = self.convolve(
                f"{block}.convs1.{i}", "snake", x, f"{block}.adain1.{i}", hidden, taps=taps, dilation=dilation
            )
            x = self.convolve(
                f"{block}.convs2.{i}", "snake", inner, f"{block}.adain2.{i}", y, taps=taps, residual=x.data
            )
        return x

    def _compute_spectrum(self, signal: Signal, length: int) -> Array:
        """Apply the last convolution, 7 taps to 22 channels, as a product over windows of 7 rows."""
        y = self.context.arena.get_rows("spectrum", length, len(self.weights["generator.conv_post.bias"]))
        self.multiply("generator.conv_post", signal, y, length, pitch=signal.shape[1], slope=SLOPES[-1])
        return y[:length, :SOURCE_CHANNELS]


def _zero_edges(rows: Signal, length: int) -> Signal:
    """Zero the EDGE_ROWS rows before and after the `length` between them, in place, and return all."""
    rows[:EDGE_ROWS] = rows[EDGE_ROWS + length : 2 * EDGE_ROWS + length] = 0.0
    return rows


def _make_empty_statistics() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return empty statistics for rows that get theirs when the source is added."""
    return np.zeros(0), np.zeros(0)
