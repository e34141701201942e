"""Imports point one way, from the command line down to speech; and each outside thing has one place that knows it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix(): ast.parse(path.read_text("utf-8"))
    for path in (*ROOT.glob("tts/**/*.py"), *ROOT.glob("*.py"))
}
PROGRAMS = ("config", "kokoro_tts_api")
MAY_IMPORT = {
    "tts/speech/": ("tts.speech",),
    "tts/synth/": ("tts.synth", "tts.speech"),
    "tts/synth/cli": ("tts.synth", "tts.speech", "config"),  # a program of its own
    "tts/engines/": ("tts.engines", "tts.speech"),
    "tts/engines/worker": ("tts.engines", "tts.synth", "tts.speech"),  # the child process
    "tts/books/": ("tts.books", "tts.engines", "tts.speech"),
    "tts/books/reader": ("tts.books", "tts.speech"),  # a child process
    "tts/api/": ("tts.api", "tts.books", "tts.engines", "tts.speech"),
    "tts/setup/": ("tts.setup", "tts.api", "tts.books", "tts.engines", "tts.synth.assets", "tts.speech", "config"),
    "tts/command/": ("tts.command", "tts.setup", "tts.api", "tts.books", "tts.engines", "tts.speech", *PROGRAMS),
    "tts/command/checks": ("tts.command", "tts.synth", "tts.speech", "config"),  # looks at all that must be there
    "tts/__main__": ("tts.command",),
    "config": ("tts.speech",),
    "run": (),
}
CHECKS = "tts/command/checks"  # which looks whether everything can be imported
ONLY = [
    # who may be imported by whom
    ({"flask", "flask_cors", "waitress", "werkzeug"}, ("tts/api/", "kokoro_tts_api")),
    (
        {"onnx", "onnxruntime", "openvino", "llvmlite", "espeakng_loader", "pyopenjtalk", "misaki"},
        ("tts/synth/", CHECKS),
    ),
    ({"lxml", "pypdf", "docx", "markdown_it", "charset_normalizer"}, ("tts/books/",)),
    ({"celery", "kombu"}, ("tts/engines/cluster",)),
    ({"config"}, ("kokoro_tts_api", "tts/synth/cli", "tts/setup/", "tts/command/")),
    ({"subprocess"}, ("tts/engines/", "tts/books/reading", "tts/synth/assets", "tts/command/player", "run")),
]


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def layer(module: str) -> str:
    """The longest name in MAY_IMPORT that the module's begins with."""
    return max((name for name in MAY_IMPORT if module.startswith(name)), key=len, default="")


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module)])
def test_imports_point_one_way(module: str) -> None:
    ours = {
        name
        for name in imported(MODULES[module])
        if name.split(".")[0] in ("tts", "config", "kokoro_tts_api", "run") and name != "tts"  # which is the version
    }
    assert not [
        name for name in ours if not f"{name}.".startswith(tuple(f"{may}." for may in MAY_IMPORT[layer(module)]))
    ]


@pytest.mark.parametrize(("names", "places"), ONLY, ids=lambda each: min(each))
def test_what_only_some_may_import(names: set[str], places: tuple[str, ...]) -> None:
    found = {module for module, tree in MODULES.items() if names & {name.split(".")[0] for name in imported(tree)}}
    assert not [module for module in found if not module.startswith(places)]
    assert found


def test_nobody_reads_the_environment_but_config() -> None:
    """Programs hand it to config whole, and an engine hands it on to its children: nobody else may look into it."""
    handing_on = {
        "kokoro_tts_api": (
            *("os.environ.update(given(words[working:]))", "Config.from_environment(os.environ)"),
            "forget_secrets(os.environ)",
        ),
        "tts/command/options": ("Config.from_environment(os.environ)",),
        "tts/synth/cli": ("Config.from_environment(os.environ)",),
        "tts/engines/command": ("{**os.environ, ",),
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
