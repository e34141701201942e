"""The kernels compiled for this CPU, kept on disk as an object file, and called through ctypes."""

import ctypes
import json
from collections.abc import Callable
from itertools import product as product_of
from pathlib import Path

import llvmlite  # type: ignore[import-untyped]
from llvmlite import binding, ir

from kokoro_server.model.cache.artifacts import cache_key, prepared, sources
from kokoro_server.model.kernels import toom_cook
from kokoro_server.model.kernels.amx_kernels import tiled_kernels
from kokoro_server.model.kernels.amx_permission import may_use_tiles
from kokoro_server.model.kernels.builder import FLOAT, HALF, POINTER, WHOLE, Shape
from kokoro_server.model.kernels.convolution import (
    ACTIVATIONS,
    Kernel,
    activate,
    convolution,
    product,
    rows_of,
    transform,
)
from kokoro_server.model.kernels.gemm import dense, micro, narrow, widen
from kokoro_server.model.kernels.lstm import gelu, lstm
from kokoro_server.model.kernels.norm import affine, layer_norm, measure

# Outputs of a tile by activation and filter length: more would multiply less, but lose float32's precision in
# the long filters, and in the wide blocks (leaky, plain) read more weights than it saves sums.
TILES = {
    ("snake", 3): 6,
    ("snake", 7): 6,
    ("snake", 11): 6,
    ("leaky", 3): 2,
    ("plain", 3): 2,
}
SCHEMES = {(activation, taps): toom_cook.scheme(outputs, taps) for (activation, taps), outputs in TILES.items()}
KERNELS = tuple(
    Kernel(scheme, taps, activation, residual)
    for (activation, taps), scheme in SCHEMES.items()
    for residual in (False, True)
)
# What fits the vector registers: 32 of 16 floats (AVX-512), 16 of 8 (AVX), 32 of 4 (Arm), or 16 of 4. By the feature
# that a CPU needs, the best first; the last needs none.
ANY = "plain"
NEEDS = {"avx": ("avx", "f16c")}  # where one is not enough: the first CPUs with AVX could not convert short floats
SHAPES = {
    "amx-bf16": Shape(16, 2, 12, tiles=True, kept=HALF),
    "avx512f": Shape(16, 2, 12),
    "avx": Shape(8, 2, 6),
    "neon": Shape(4, 4, 6),
    ANY: Shape(4, 2, 6, kept=FLOAT),
}


def fitting() -> list[str]:
    """The names of the shapes that the CPU that this runs on can use, the best first."""
    features = binding.get_host_cpu_features()
    able = (name for name in SHAPES if name == ANY or all(map(features.get, NEEDS.get(name, (name,)))))
    return [name for name in able if not SHAPES[name].tiles or may_use_tiles()]


def native_shape() -> Shape:
    """The best register shape for the CPU that this runs on, by its features."""
    return SHAPES[fitting()[0]]


class Library:
    """Every kernel by name: functions of addresses and sizes that run without the interpreter's lock."""

    def __init__(self, cache: Path, shape: Shape | None = None) -> None:
        """Load the object file, compiled first if need be (about a second)."""
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.shape = shape or native_shape()
        machine = _machine()
        folder = prepared(cache, machine_key(repr(self.shape)), lambda folder: _compile(folder, self.shape, machine))
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        self._engine.add_object_file(binding.ObjectFileRef.from_path(str(folder / "kernels.o")))
        self._engine.finalize_object()
        signatures = json.loads((folder / "kernels.json").read_text(encoding="utf-8"))
        self._functions = {name: self._function(name, kinds) for name, kinds in signatures.items()}

    def __getitem__(self, name: str) -> Callable[..., None]:
        return self._functions[name]

    def _function(self, name: str, kinds: str) -> Callable[..., None]:
        types = [ctypes.c_void_p if kind == "p" else ctypes.c_int64 for kind in kinds]
        return ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))


def _machine() -> binding.TargetMachine:
    target = binding.Target.from_default_triple()
    features = binding.get_host_cpu_features().flatten()
    return target.create_target_machine(binding.get_host_cpu_name(), features, opt=3, jit=True)


def machine_key(what: str) -> str:
    """The cache's name for what depends on the kernels' source, the compiler, and the CPU with its features."""
    features = binding.get_host_cpu_features().flatten()
    return cache_key(sources(), llvmlite.__version__, binding.get_host_cpu_name(), features, what)


def _compile(folder: Path, shape: Shape, machine: binding.TargetMachine) -> None:
    module = _module(shape)
    compiled = binding.parse_assembly(str(module))
    compiled.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False  # the loops are unrolled as far as the registers go
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(compiled, builder)
    (folder / "kernels.o").write_bytes(machine.emit_object(compiled))
    signatures = {
        function.name: "".join("p" if argument.type == POINTER else "i" for argument in function.args)
        for function in module.functions
        if function.blocks
    }
    (folder / "kernels.json").write_text(json.dumps(signatures), encoding="utf-8")


def _module(shape: Shape) -> ir.Module:
    module = ir.Module("kernels")
    module.triple = binding.get_default_triple()
    lstm(module, shape)
    gelu(module, shape.width)
    affine(module, shape.width)
    layer_norm(module, shape.width)
    for adding, signal in product_of((False, True), shape.signals):
        measure(module, shape.width, adding, signal)
    if shape.tiles:
        tiled_kernels(module, shape.width)
    else:
        _vector_kernels(module, shape)
    return module


def _vector_kernels(module: ir.Module, shape: Shape) -> None:
    """Convolutions and matrices in vector registers, in float32; most weights are kept as whole numbers."""
    products = {kind: product(module, shape, micro(module, shape, kind), kind) for kind in (FLOAT, WHOLE)}
    activations = {kind: activate(module, kind, shape.width, signal=rows_of(kind, shape)) for kind in ACTIVATIONS}
    different = {scheme.points: scheme for scheme in SCHEMES.values()}
    transforms = {points: transform(module, scheme, shape.width) for points, scheme in different.items()}
    for kernel in KERNELS:
        activated, transformed = activations[kernel.activation], transforms[kernel.scheme.points]
        convolution(module, kernel, shape, products[kernel.weights], activated, transformed)
    dense(module, shape)
    for signal in shape.signals:
        widen(module, shape.width, signal)
        narrow(module, shape.width, signal)
