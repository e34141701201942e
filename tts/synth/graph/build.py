"""From a model file to the prepared folder: what each of its files is, and which passes made it."""

import logging
from pathlib import Path

import onnx
from onnx import ModelProto

from tts.synth.decoder import prepare
from tts.synth.graph.cut import Unrecognised, cut, decoder_parameters, decoder_tensors
from tts.synth.graph.dequantize import dequantize
from tts.synth.graph.durations import FRAMES, expose_durations
from tts.synth.graph.store import save_arrays
from tts.synth.kernels.emit import Shape

WHOLE, HEAD, TAIL, DECODER = "whole.onnx", "head.onnx", "tail.onnx", "decoder"
SMALL = 1024  # bytes: shapes and scalars stay in the graph, where onnxruntime wants to see them

log = logging.getLogger(__name__)


def build(model: Path, folder: Path, shape: Shape) -> None:
    """Prepare a model: head, decoder and tail, or the whole graph when its decoder is not the known one."""
    log.info("preparing %s for this machine", model.name)
    graph = expose_durations(dequantize(onnx.load(model)))
    try:
        _build_parts(graph, folder, shape)
    except Unrecognised as exc:
        log.warning("%s runs as a whole, which is slower: %s", model.name, exc)
        _save(graph, folder / WHOLE)


def _build_parts(graph: ModelProto, folder: Path, shape: Shape) -> None:
    """The head speaks the decoder's input (and the frames), the tail makes sound of its spectrum."""
    tensors = decoder_tensors(graph)
    parameters = decoder_parameters(graph)
    frames = [output.name for output in graph.graph.output if output.name == FRAMES]
    audio = graph.graph.output[0].name
    save_arrays(folder, DECODER, prepare(parameters, shape))
    _save(cut(graph, {}, [tensors["mixed"], tensors["source"], *frames]), folder / HEAD)
    _save(cut(graph, {tensors["spectrum"]: [1, 22, "time"]}, [audio]), folder / TAIL)


def _save(graph: ModelProto, path: Path) -> None:
    """With the weights in a file of their own, to be mapped."""
    location = f"{path.stem}.bin"
    onnx.save(graph, path, save_as_external_data=True, location=location, size_threshold=SMALL)
