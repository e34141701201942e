"""Compile the kernels for this CPU, cache the object file on disk, and call the functions through ctypes.

1. A Target (vector width, register block, storage type) is chosen by the CPU's features.
2. `_build_module` writes the IR of every kernel for it.
3. LLVM optimizes the module and emits one object file: about a second, once for a machine and a version.
4. KernelLibrary loads the object file and looks up the functions. They release the interpreter's lock.
"""

import ctypes
import json
from collections.abc import Callable
from itertools import product as product_of
from pathlib import Path

import llvmlite
from llvmlite import binding, ir

from kokoro_server.model.cache.artifacts import compute_source_digest, make_cache_key, prepare_artifact
from kokoro_server.model.kernels import toom_cook
from kokoro_server.model.kernels.amx_kernels import emit_amx_kernels
from kokoro_server.model.kernels.amx_permission import may_use_tiles
from kokoro_server.model.kernels.builder import BF16, FLOAT, I16, POINTER, Target
from kokoro_server.model.kernels.convolution import (
    ACTIVATIONS,
    ConvolutionKernel,
    batched_gemm,
    emit_activation,
    emit_convolution,
    emit_input_transform,
    get_storage_type,
)
from kokoro_server.model.kernels.gemm import emit_gemm, emit_narrowing, emit_widening, gemm_microkernel
from kokoro_server.model.kernels.lstm import emit_gelu, emit_lstm
from kokoro_server.model.kernels.norm import emit_affine, emit_layer_norm, emit_statistics

# Outputs m of a Toom-Cook tile, by activation and filter length. A larger m multiplies less for each output, but loses
# float32's precision in the long filters. In the decoder's wide blocks ("leaky", "plain") the weights, which grow with
# the number of points n = m + taps - 1, do not fit the cache: there a larger m reads more than it saves.
TILE_OUTPUTS = {
    ("snake", 3): 6,
    ("snake", 7): 6,
    ("snake", 11): 6,
    ("leaky", 3): 2,
    ("plain", 3): 2,
}
SCHEMES = {
    (activation, taps): toom_cook.make_scheme(outputs, taps) for (activation, taps), outputs in TILE_OUTPUTS.items()
}
KERNELS = tuple(
    ConvolutionKernel(scheme, taps, activation, residual)
    for (activation, taps), scheme in SCHEMES.items()
    for residual in (False, True)
)
FALLBACK_TARGET = "plain"
"""Name of the target that every CPU can run."""
CPU_FEATURES = {"avx": ("avx", "f16c")}
"""LLVM's names of the CPU features that a target needs, where they differ from its own name.

The first CPUs with AVX lack F16C, the conversion from and to float16.
"""
# By the CPU feature that they need, the best first. Registers: 32 of 16 floats (AVX-512), 16 of 8 (AVX), 32 of 4 (Arm
# NEON), 16 of 4 (SSE2).
TARGETS = {
    "amx-bf16": Target(16, 2, 12, has_tiles=True, storage_type=BF16),
    "avx512f": Target(16, 2, 12),
    "avx": Target(8, 2, 6),
    "neon": Target(4, 4, 6),
    FALLBACK_TARGET: Target(4, 2, 6, storage_type=FLOAT),
}


def list_supported_targets() -> list[str]:
    """List the names of the targets that this CPU can run, the best first."""
    features = binding.get_host_cpu_features()
    supported = (
        name for name in TARGETS if name == FALLBACK_TARGET or all(map(features.get, CPU_FEATURES.get(name, (name,))))
    )
    # A CPU with AMX is not enough: the operating system has to permit the tile registers.
    return [name for name in supported if not TARGETS[name].has_tiles or may_use_tiles()]


def get_native_target() -> Target:
    """Return the best target for this CPU by its features alone."""
    return TARGETS[list_supported_targets()[0]]


class KernelLibrary:
    """Look up compiled kernels by name: functions of addresses and sizes. Thread-safe after construction.

    Kernels check nothing. Arrays have to be C-contiguous, with SPARE_ROWS rows behind the last one where a kernel
    writes whole blocks. An unknown name raises KeyError.
    """

    def __init__(self, cache: Path, target: Target | None = None) -> None:
        """Load the object file, after compiling it if `cache` has none for this CPU (about a second).

        Args:
            cache: Folder of the object files, shared by all workers.
            target: What to compile for; the best for this CPU by default.

        Raises:
            OSError: If the folder cannot be written.
        """
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.target = target or get_native_target()
        machine = _make_target_machine()
        folder = prepare_artifact(
            cache, make_machine_key(repr(self.target)), lambda folder: _compile(folder, self.target, machine)
        )
        # An empty module makes an engine that only loads and links the object file.
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        self._engine.add_object_file(binding.ObjectFileRef.from_path(str(folder / "kernels.o")))
        self._engine.finalize_object()
        signatures = json.loads((folder / "kernels.json").read_text(encoding="utf-8"))
        self._functions = {name: self._make_function(name, kinds) for name, kinds in signatures.items()}

    def __getitem__(self, name: str) -> Callable[..., None]:
        return self._functions[name]

    def _make_function(self, name: str, kinds: str) -> Callable[..., None]:
        """Make a kernel callable; `kinds` has one letter for each argument, "p" for pointers, "i" for integers."""
        types = [ctypes.c_void_p if kind == "p" else ctypes.c_int64 for kind in kinds]
        return ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))


def _make_target_machine() -> binding.TargetMachine:
    """Return LLVM's code generator for this CPU."""
    triple = binding.Target.from_default_triple()
    features = binding.get_host_cpu_features().flatten()
    return triple.create_target_machine(binding.get_host_cpu_name(), features, opt=3, jit=True)


def make_machine_key(what: str) -> str:
    """Return the cache key of an artifact that depends on the network's sources, the compiler, the CPU, and `what`."""
    features = binding.get_host_cpu_features().flatten()
    return make_cache_key(compute_source_digest(), llvmlite.__version__, binding.get_host_cpu_name(), features, what)


def _compile(folder: Path, target: Target, machine: binding.TargetMachine) -> None:
    """Write kernels.o, and kernels.json with the signature of each function."""
    module = _build_module(target)
    compiled = binding.parse_assembly(str(module))
    compiled.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False  # the builders unroll as far as the registers go; more would spill
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(compiled, builder)
    (folder / "kernels.o").write_bytes(machine.emit_object(compiled))
    signatures = {
        function.name: "".join("p" if argument.type == POINTER else "i" for argument in function.args)
        for function in module.functions
        if function.blocks
    }
    (folder / "kernels.json").write_text(json.dumps(signatures), encoding="utf-8")


def _build_module(target: Target) -> ir.Module:
    """Write the IR of all kernels for one target."""
    module = ir.Module("kernels")
    module.triple = binding.get_default_triple()
    emit_lstm(module, target)
    emit_gelu(module, target.width)
    emit_affine(module, target.width)
    emit_layer_norm(module, target.width)
    for adding, signal in product_of((False, True), target.storage_types):
        emit_statistics(module, target.width, adding, signal)
    if target.has_tiles:
        emit_amx_kernels(module, target.width)
    else:
        _emit_vector_kernels(module, target)
    return module


def _emit_vector_kernels(module: ir.Module, target: Target) -> None:
    """Write convolutions and GEMM in vector registers, in float32; most weights are stored as int16."""
    products = {
        kind: batched_gemm(module, target, gemm_microkernel(module, target, kind), kind) for kind in (FLOAT, I16)
    }
    activations = {
        kind: emit_activation(module, kind, target.width, signal=get_storage_type(kind, target)) for kind in ACTIVATIONS
    }
    # Of the schemes in SCHEMES, those with the same number of points are equal ("leaky" and "plain"): one transform.
    by_points = {scheme.point_count: scheme for scheme in SCHEMES.values()}
    transforms = {points: emit_input_transform(module, scheme, target.width) for points, scheme in by_points.items()}
    for kernel in KERNELS:
        activated, transformed = activations[kernel.activation], transforms[kernel.scheme.point_count]
        emit_convolution(module, kernel, target, products[kernel.weight_type], activated, transformed)
    emit_gemm(module, target)
    for signal in target.storage_types:
        emit_widening(module, target.width, signal)
        emit_narrowing(module, target.width, signal)
