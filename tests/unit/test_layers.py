"""Imports point one way, from the command line down to speech; and each outside thing has one place that knows it."""

from __future__ import annotations

import ast
from typing import TypeGuard

import pytest

from tests.paths import ROOT

MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix(): ast.parse(path.read_text("utf-8"))
    for path in (*ROOT.glob("kokoro_server/**/*.py"), *ROOT.glob("*.py"))
}
PACKAGE = "kokoro_server."
WORDS = ("text", "core")
SPEECH = ("synthesis.captions", "text", "audio", "core")
MAY_IMPORT = {
    "kokoro_server/core/": ("core",),
    "kokoro_server/config": ("core",),
    "kokoro_server/audio/": ("audio", "core"),
    "kokoro_server/text/": (
        *("text.segmentation", "text.chunking", "text.inline_tags", "text.aligned", "text.scripts", "text.tables"),
        *("text.pronounced_words", "core"),
    ),
    "kokoro_server/text/normalization/": (
        *("text.normalization", "text.segmentation", "text.scripts", "text.tables", "text.aligned", "core"),
    ),
    "kokoro_server/text/normalization/rules/": (
        *("text.normalization.rules", "text.segmentation", "text.tables", "text.aligned", "core"),
    ),
    "kokoro_server/text/normalization/english/": (
        *("text.normalization.english", "text.normalization.rules", "text.tables", "text.aligned", "core"),
    ),
    "kokoro_server/text/normalization/locales/": (
        *("text.normalization.locales", "text.normalization.rules", "text.tables", "text.aligned", "core"),
    ),
    "kokoro_server/text/g2p/": (
        *(
            "text.g2p",
            "text.normalization",
            "text.pronounced_words",
            "text.scripts",
            "text.tables",
            "text.aligned",
            "core",
        ),
    ),
    "kokoro_server/model/": ("model", "core"),
    "kokoro_server/model/cache/": ("model.cache", "core"),
    "kokoro_server/model/onnx/": ("model.onnx", "core"),
    "kokoro_server/model/kernels/": ("model.kernels", "model.cache", "core"),
    "kokoro_server/model/native/": ("model.native", "model.kernels", "model.onnx", "model.cache", "core"),
    "kokoro_server/synthesis/": ("synthesis", "text", "model", "audio", "core"),
    "kokoro_server/synthesis/captions": ("text", "audio", "core"),
    "kokoro_server/synthesis/frames": (),
    "kokoro_server/synthesis/kokoro_command": ("synthesis", "text", "model", "audio", "core", "config"),  # a program
    "kokoro_server/engine/": ("engine", "synthesis.frames", "text", "audio", "core"),
    "kokoro_server/audiobooks/": ("audiobooks", "engine", *SPEECH),
    "kokoro_server/audiobooks/formats/": ("audiobooks.formats", "core"),
    "kokoro_server/api/": ("api", "audiobooks", "engine", *SPEECH),
    "kokoro_server/wyoming/": ("wyoming", "api.schemas", "engine", "text", "audio", "core"),
    "kokoro_server/setup/": (
        "setup",
        "wyoming",
        "api",
        "audiobooks",
        "engine",
        "model.assets",
        "text",
        "core",
        "config",
    ),
    "kokoro_server/app": ("setup", "wyoming", "api", "audiobooks", "engine", "model.assets", "core", "config"),
    "kokoro_server/python_api": (
        *("setup", "api.schemas", "engine", "synthesis", "model.assets", "text", "audio", "core", "config"),
    ),
    "kokoro_server/__init__": ("python_api",),
    "kokoro_server/cli/": ("cli", "app", "setup", "api", "audiobooks", "engine", *SPEECH, "config"),
    "kokoro_server/cli/checks": ("cli", "model", "audio", "core", "config"),  # looks at all that must be there
    "kokoro_server/__main__": ("cli",),
    "config": ("config",),
    "kokoro_tts_api": ("app",),
    "run": (),
}
"""What each module may import, by the longest name here that its own begins with."""
CHECKS = "kokoro_server/cli/checks"  # which looks whether everything can be imported
ONLY = [
    # who may be imported by whom
    (
        {"flask", "flask_cors", "waitress", "werkzeug"},
        ("kokoro_server/api/", "kokoro_server/app"),
    ),
    ({"onnx", "onnxruntime", "openvino", "llvmlite"}, ("kokoro_server/model/", CHECKS)),
    ({"espeakng_loader", "pyopenjtalk", "misaki"}, ("kokoro_server/text/", CHECKS)),
    (
        {"lxml", "pypdf", "docx", "markdown_it", "charset_normalizer"},
        ("kokoro_server/audiobooks/formats/",),
    ),
    (
        {"celery", "kombu"},
        (
            "kokoro_server/engine/cluster/broker",
            "kokoro_server/engine/cluster/celery_app",
            "kokoro_server/engine/cluster/task_server",
        ),
    ),
    (
        {"subprocess"},
        (
            "kokoro_server/engine/",
            "kokoro_server/audiobooks/reading",
            "kokoro_server/model/assets",
            "kokoro_server/cli/player",
            "run",
        ),
    ),
]


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def find_layer(module: str) -> str:
    """The longest name in MAY_IMPORT that the module's begins with."""
    return max((name for name in MAY_IMPORT if module.startswith(name)), key=len, default="")


@pytest.mark.parametrize("module", [module for module in MODULES if find_layer(module)])
def test_imports_point_one_way(module: str) -> None:
    ours = {name for name in imported(MODULES[module]) if name.startswith((PACKAGE, "config", "kokoro_tts_api", "run"))}
    allowed = tuple(f"{PACKAGE}{name}." for name in MAY_IMPORT[find_layer(module)])
    assert not [name for name in ours if not f"{name}.".startswith(allowed)]


@pytest.mark.parametrize(("names", "places"), ONLY, ids=lambda each: min(each))
def test_what_only_some_may_import(names: set[str], places: tuple[str, ...]) -> None:
    found = {module for module, tree in MODULES.items() if names & {name.split(".")[0] for name in imported(tree)}}
    assert not [module for module in found if not module.startswith(places)]
    assert found


def test_nobody_reads_the_environment_but_config() -> None:
    """Programs hand it to config whole, and an engine hands it on to its children: nobody else may look into it."""
    handing_on = {
        "kokoro_server/app": (
            *("os.environ.update(parse_settings(words[working:]))", "Config.from_environment(os.environ)"),
            "forget_secrets(os.environ)",
        ),
        "kokoro_server/cli/options": ("Config.from_environment(os.environ)",),
        "kokoro_server/synthesis/kokoro_command": ("Config.from_environment(os.environ)",),
        "kokoro_server/engine/command": ("{**os.environ, ",),
    }
    for module, tree in MODULES.items():
        source = ast.unparse(tree)
        names = [node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(tree) if _is_name(node)]
        uses = names.count("environ") - source.count("request.environ")
        assert "getenv" not in source
        assert uses == sum(source.count(way) for way in handing_on.get(module, ())), module


def _is_name(node: ast.AST) -> TypeGuard[ast.Attribute | ast.Name]:
    return isinstance(node, ast.Attribute | ast.Name)


def test_every_module_says_what_it_is_for() -> None:
    assert not [module for module, tree in MODULES.items() if not ast.get_docstring(tree)]


def test_benchmarks_need_nothing_of_the_tests() -> None:
    trees = {path.name: ast.parse(path.read_text("utf-8")) for path in (ROOT / "benchmarks").rglob("*.py")}
    found = {name: {each for each in imported(tree) if each.split(".")[0] == "tests"} for name, tree in trees.items()}
    assert not {name: names for name, names in found.items() if names}
