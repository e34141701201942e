"""From a model file to the prepared folder: what each of its files is, and which passes made it."""

import logging
from pathlib import Path

import numpy as np
import onnx

from tts.synth.decoder import prepare_decoder
from tts.synth.encoder import prepare_encoder
from tts.synth.graph.dequantize import dequantize
from tts.synth.graph.durations import expose_durations
from tts.synth.graph.parameters import Parameters, Unrecognised, read_parameters
from tts.synth.graph.spectrum import convolve_spectra
from tts.synth.graph.store import save_arrays
from tts.synth.kernels.emit import Shape
from tts.synth.source import prepare_source

WHOLE = "whole.onnx"
PASSES = (dequantize, convolve_spectra, expose_durations)
SMALL = 1024  # bytes: shapes and scalars stay in the graph, where onnxruntime wants to see them

log = logging.getLogger(__name__)


def build_kernels(model: Path, folder: Path, shape: Shape) -> None:
    """Write every parameter in the kernels' form, or none for a graph that is not Kokoro's; why is logged."""
    log.info("preparing %s for this machine", model.name)
    parameters = read_parameters(dequantize(onnx.load(model)))
    try:
        arrays = _prepared(parameters, shape)
    except Unrecognised as exc:
        log.warning("%s runs in onnxruntime, which is slower: %s", model.name, exc)
        arrays = {}
    save_arrays(folder, arrays)


def _prepared(parameters: Parameters, shape: Shape) -> dict[str, np.ndarray]:
    return {
        **prepare_encoder(parameters, shape),
        **prepare_decoder(parameters, shape),
        **prepare_source(parameters),
    }


def build_whole(model: Path, folder: Path) -> None:
    """Write the graph for onnxruntime, with its weights in a file of their own, to be mapped."""
    log.info("preparing %s for onnxruntime", model.name)
    graph = onnx.load(model)
    for change in PASSES:
        graph = change(graph)
    onnx.save(graph, folder / WHOLE, save_as_external_data=True, location="weights.bin", size_threshold=SMALL)
