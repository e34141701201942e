"""Turn a model file into the packed arrays that the kernels read."""

import logging
from pathlib import Path

import onnx

from tts.synth.blocks import Prepared
from tts.synth.decoder import prepare_decoder
from tts.synth.encoder import prepare_encoder
from tts.synth.graph.dequantize import dequantize
from tts.synth.graph.parameters import Parameters, Unrecognised, read_parameters
from tts.synth.graph.store import save_arrays
from tts.synth.kernels.emit import Shape
from tts.synth.source import prepare_source

log = logging.getLogger(__name__)


def build_kernels(model: Path, folder: Path, shape: Shape) -> None:
    """Write all parameters of the model, packed for the target, to `folder`.

    Writes no array, and logs the reason, if the graph is not laid out as Kokoro's published export.
    """
    log.info("Preparing %s for this machine", model.name)
    parameters = read_parameters(dequantize(onnx.load(model)))
    try:
        arrays = _prepared(parameters, shape)
    except Unrecognised as exc:
        log.warning("%s runs in onnxruntime, which is slower: %s", model.name, exc)
        arrays = {}
    save_arrays(folder, arrays)


def _prepared(parameters: Parameters, shape: Shape) -> Prepared:
    """Pack all parameters. Raises UnknownGraphError if one is missing."""
    return {
        **prepare_encoder(parameters, shape),
        **prepare_decoder(parameters, shape),
        **prepare_source(parameters),
    }
