"""Turn a model file into the packed arrays that the kernels read."""

import logging
from pathlib import Path

import onnx

from kokoro_server.model.cache.arrays import save_arrays
from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.native.blocks import PackedArrays
from kokoro_server.model.native.decoder import prepare_decoder
from kokoro_server.model.native.encoder import prepare_encoder
from kokoro_server.model.native.harmonic_source import prepare_source
from kokoro_server.model.native.parameters import Parameters, UnknownGraphError, read_parameters
from kokoro_server.model.onnx.dequantize import dequantize

log = logging.getLogger(__name__)


def build_kernels(model: Path, folder: Path, target: Target) -> None:
    """Write all parameters of the model, packed for the target, to `folder`.

    Writes no array, and logs the reason, if the graph is not laid out as Kokoro's published export.
    """
    log.info("Preparing %s for this machine", model.name)
    parameters = read_parameters(dequantize(onnx.load(model)))
    try:
        arrays = _pack_parameters(parameters, target)
    except UnknownGraphError as exc:
        log.warning("%s runs in onnxruntime, which is slower: %s", model.name, exc)
        arrays = {}
    save_arrays(folder, arrays)


def _pack_parameters(parameters: Parameters, target: Target) -> PackedArrays:
    """Pack all parameters. Raises UnknownGraphError if one is missing."""
    return {
        **prepare_encoder(parameters, target),
        **prepare_decoder(parameters, target),
        **prepare_source(parameters),
    }
