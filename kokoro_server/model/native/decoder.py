"""Kokoro's decoder, the ISTFTNet that makes sound of text, pitch and energy: nine tenths of the work.

Its shape is fixed by the published weights (hexgrad/Kokoro-82M, config.json: upsample rates 10 and 6, kernels
20 and 12, residual blocks of 3, 7 and 11 taps at dilations 1, 3 and 5); the graph gives the weights.
"""

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Shape
from kokoro_server.model.native.blocks import (
    PLAIN,
    Array,
    Blocks,
    Prepared,
    Weights,
    filled,
    prepare_adain,
    prepare_dense,
    prepare_filter,
    prepare_styles,
    windowed,
)
from kokoro_server.model.native.layers import SPARE_ROWS, Rows, Signal, kept_in

TEXT = 512  # channels of the aligned text; F0 and energy follow it
WIDE = 1024  # channels of the decoder's blocks
ASIDE = 64  # channels of the text that every block sees again
DILATIONS = (1, 3, 5)
TAPS = (3, 7, 11)
RATES = (10, 6)
SLOPES = (0.1, 0.1, 0.01)  # of the leaky ReLU before each upsampling and before the last filter
POST_TAPS = 7
EDGE = POST_TAPS // 2  # silent rows at either end that the filters of a generator's stage reach
NOISE_TAPS = (7, 11)
NOISE_STRIDE = 6  # of the first convolution over the source; the second one has one tap
SOURCE = 22


def prepare_decoder(parameters: Weights, shape: Shape) -> Prepared:
    """The parameters in the form that the kernels read, by the names that `Decoding` uses."""
    ready: Prepared = {}
    adains = ("encode", "decode.0", "decode.1", "decode.2", "decode.3")
    blocks = [f"generator.{kind}.{i}" for kind, count in (("resblocks", 6), ("noise_res", 2)) for i in range(count)]
    snakes = [(block, part, i) for block in blocks for i in range(len(DILATIONS)) for part in (1, 2)]
    for name in adains:
        ready.update(prepare_adain(parameters, name, shape, PLAIN))
    for block, part, i in snakes:
        ready.update(_prepare_snake(parameters, block, part, i, shape))
    norms = [f"{name}.norm{part}" for name in adains for part in (1, 2)]
    norms += [f"{block}.adain{part}.{i}" for block, part, i in snakes]
    ready.update(prepare_styles(parameters, Decoding.STYLES, norms))
    for i, rate in enumerate(RATES):
        ready.update(prepare_dense(f"generator.ups.{i}", *_upsample(parameters, i, rate), shape, PLAIN))
        noise = f"generator.noise_convs.{i}"
        ready.update(prepare_dense(noise, *windowed(parameters, noise), shape, PLAIN))
    weight, bias = windowed(parameters, "generator.conv_post")
    ready.update(prepare_dense("generator.conv_post", (weight / len(TAPS)).astype(np.float32), bias, shape, PLAIN))
    ready.update(prepare_dense("asr_res", *windowed(parameters, "asr_res.asr_res.0"), shape, PLAIN))
    return ready


def _prepare_snake(parameters: Weights, block: str, part: int, i: int, shape: Shape) -> Prepared:
    conv = f"{block}.convs{part}.{i}"
    alpha = parameters[f"{block}.alpha{part}.{i}"]
    norm = f"{block}.adain{part}.{i}"
    return {
        **prepare_filter(conv, parameters[f"{conv}.weight"], parameters[f"{conv}.bias"], "snake", shape, PLAIN),
        f"{norm}.turns": (alpha / np.pi).astype(np.float32),
        f"{norm}.inverse": (1.0 / alpha).astype(np.float32),
    }


def _upsample(parameters: Weights, stage: int, rate: int) -> tuple[Array, Array]:
    """A transposed convolution [in, out, 2 rate] as a matrix over windows x[t-1], x[t]: [2 in, rate * out].

    Row t holds the `rate` outputs that both rows reach. The second stage is fed the sum of three blocks for
    their mean, so its weights hold the third.
    """
    weight = parameters[f"generator.ups.{stage}.weight"] / (1 if stage == 0 else len(TAPS))
    inputs, outputs, _ = weight.shape
    halves = weight.reshape(inputs, outputs, 2, rate).transpose(2, 0, 3, 1)
    matrix = np.concatenate([halves[1], halves[0]]).reshape(2 * inputs, rate * outputs)
    return matrix, np.tile(parameters[f"generator.ups.{stage}.bias"], rate)


class Decoding(Blocks):
    """One utterance on its way through the decoder; `style` is the decoder's half."""

    STYLES = "decoder.styles"

    def spectrum(self, mixed: Array, source: Array) -> Array:
        """Spectrum [time, 22] of text, pitch and energy [frames, 514] and of the source [time, 22].

        Raises Cancelled when the crew is.
        """
        return self.generator(self.blocks(mixed), source)

    def blocks(self, mixed: Array) -> Array:
        """The five AdaIN blocks: [frames, 514] to [2 * frames, 512] between silent edges."""
        frames = len(mixed)
        x = self.workshop.rows("mixed", frames, filled(TEXT + 2))
        x[:frames, : TEXT + 2] = mixed
        x[:, TEXT + 2 :] = 0.0
        names = ("decode.0", "decode.1", "decode.2")
        both = [self.workshop.rows(f"wide.{i}", frames, filled(WIDE + ASIDE + 2)) for i in (0, 1)]
        aside = self.workshop.rows("aside", frames, ASIDE)
        self.dense("asr_res", x, aside, frames)
        for wide in both:
            wide[:frames, WIDE : WIDE + ASIDE] = aside[:frames]
            wide[:frames, WIDE + ASIDE : WIDE + ASIDE + 2] = mixed[:, TEXT:]
            wide[:, WIDE + ASIDE + 2 :] = 0.0
        rows = self.adain("encode", self.measured(x, frames), both[0])
        for i, name in enumerate(names):
            rows = self.adain(name, self._with_aside(rows), both[(i + 1) % 2])
        doubled = self.workshop.rows("doubled", 2 * frames + EDGE, TEXT)
        self.adain_up("decode.3", self._with_aside(rows), doubled[EDGE:])
        return _edged(doubled, 2 * frames)

    def _with_aside(self, rows: Rows) -> Rows:
        """The sums of the channels beside a block's own, which its convolution did not take."""
        rest = self.measured(rows.data[:, WIDE:], rows.length)
        return Rows(
            rows.data,
            rows.length,
            np.concatenate([rows.sums, rest.sums]),
            np.concatenate([rows.squares, rest.squares]),
        )

    def generator(self, signal: Signal, source: Array) -> Array:
        """Rows [2 * frames, 512] between silent edges, and the source [time, 22], to the spectrum [time, 22]."""
        harmonics = np.zeros((len(source) + 2 * SPARE_ROWS, SOURCE), np.float32)
        harmonics[SPARE_ROWS : SPARE_ROWS + len(source)] = source
        length = (len(source) - 1) // np.prod(RATES, dtype=int)
        for stage in range(len(RATES)):
            signal, length = self._stage(stage, signal, harmonics, length)
        return self._spectrum(signal, length)

    def _stage(self, stage: int, signal: Signal, harmonics: Array, length: int) -> tuple[Signal, int]:
        """Upsampled, with the source's part, through the residual blocks; no buffer is held beyond this."""
        up = self._upsample(stage, RATES[stage], signal, length)
        noise = self._noise(stage, harmonics, up.length)
        return self._blocks(stage, self.measured(up.data, up.length, noise.data)), up.length

    def kept_rows(self, name: str, length: int, channels: int) -> Signal:
        """Rows as the generator's layers keep them; a name of the first stage serves the second one again."""
        return self.workshop.rows(name, length, channels, kept_in(self.library.shape))

    def _upsample(self, stage: int, rate: int, signal: Signal, length: int) -> Rows:
        """The transposed convolution; the second one mirrors its second output to the front."""
        name = f"generator.ups.{stage}"
        outputs = len(self.weights[f"{name}.bias"])
        y = self.kept_rows("up", length + 1, outputs)
        self.dense(name, signal[EDGE - 1 :], y, length + 1, pitch=signal.shape[1], slope=SLOPES[stage])
        flat = y.reshape(-1, outputs // rate)
        first = rate // 2
        if stage == 0:
            return Rows(flat[first:], length * rate, *_no_sums())
        flat[first - 1] = flat[first + 1]
        return Rows(flat[first - 1 :], length * rate + 1, *_no_sums())

    def _noise(self, stage: int, harmonics: Array, length: int) -> Rows:
        """The source's way into a stage: one strided convolution and a residual block."""
        name = f"generator.noise_convs.{stage}"
        stride, before = (NOISE_STRIDE, NOISE_STRIDE // 2) if stage == 0 else (1, 0)
        y = self.kept_rows("noise", length, len(self.weights[f"{name}.bias"]))
        self.dense(name, harmonics[SPARE_ROWS - before :], y, length, pitch=stride * SOURCE)
        taps = NOISE_TAPS[stage]
        return self._residual(f"generator.noise_res.{stage}", taps, self.measured(y, length), y)

    def _blocks(self, stage: int, x: Rows) -> Signal:
        """The sum of the three residual blocks between silent edges; the weights after it take its third."""
        channels = x.data.shape[1]
        edged = self.kept_rows(f"total.{stage}", x.length + EDGE, channels)
        total = edged[EDGE:]
        other = self.kept_rows("noise", x.length, channels)
        for i, taps in enumerate(TAPS):
            block = f"generator.resblocks.{stage * len(TAPS) + i}"
            rows = self._residual(block, taps, x, other if i else total)
            if i:
                self.measured(total, x.length, rows.data)
        return _edged(edged, x.length)

    def _residual(self, block: str, taps: int, x: Rows, y: Signal) -> Rows:
        """Three times norm, Snake, dilated filter, norm, Snake, filter, add; y may be x's own array."""
        hidden = self.kept_rows("between", x.length, x.data.shape[1])
        for i, dilation in enumerate(DILATIONS):
            inner = self.convolve(
                f"{block}.convs1.{i}", "snake", x, f"{block}.adain1.{i}", hidden, taps=taps, dilation=dilation
            )
            x = self.convolve(
                f"{block}.convs2.{i}", "snake", inner, f"{block}.adain2.{i}", y, taps=taps, residual=x.data
            )
        return x

    def _spectrum(self, signal: Signal, length: int) -> Array:
        """The last convolution, 7 taps to 22 channels."""
        y = self.workshop.rows("spectrum", length, len(self.weights["generator.conv_post.bias"]))
        self.dense("generator.conv_post", signal, y, length, pitch=signal.shape[1], slope=SLOPES[-1])
        return y[:length, :SOURCE]


def _edged(rows: Signal, length: int) -> Signal:
    """The rows, silent for `EDGE` rows before and after the `length` between them."""
    rows[:EDGE] = rows[EDGE + length : 2 * EDGE + length] = 0.0
    return rows


def _no_sums() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.zeros(0), np.zeros(0)
