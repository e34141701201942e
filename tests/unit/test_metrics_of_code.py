"""How the code is written: tools/metrics.py counts right, and the package keeps to what it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.paths import ROOT
from tools.metrics import find_cycles, folder_arrows, import_arrows, is_participle, measure_package, opens_with_verb

PACKAGE = ROOT / "kokoro_server"


@pytest.mark.parametrize("name", ["counted", "_parsed_rows", "written", "said", "running", "kept_in"])
def test_a_participle_is_told(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize(
    "name", ["count", "parse_rows", "is_written", "split_rows", "need", "__missing__", "read", "string_of"]
)
def test_what_is_no_participle(name: str) -> None:
    assert not is_participle(name)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the rows.", True),
        ("`Return` it.", True),
        ("The rows.", False),
        ("What is returned.", False),
        ("", False),
    ],
)
def test_a_docstring_opens_with_a_verb(docstring: str, expected: bool) -> None:
    assert opens_with_verb(docstring) is expected


def test_a_small_package_is_measured(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text(
        'import small.b\n\n\ndef counted(a, b, c, d, e, f):\n    """The count."""\n    # why\n    return 1\n'
    )
    (folder / "b.py").write_text(
        'import small.a\n\n\ndef read():\n    """Read it."""\n    try:\n        pass\n'
        "    except Exception:\n        pass\n"
    )
    figures = measure_package(folder)
    assert (figures.names, figures.participle_names, figures.wide_signatures, figures.broad_excepts) == (2, 1, 1, 1)
    assert (figures.docstrings, figures.verb_docstrings, figures.comment_lines) == (2, 1, 1)
    assert sorted(figures.function_lines) == [4, 6]
    assert find_cycles(import_arrows(folder)) == [["small.a", "small.b"]]


def test_the_package_keeps_to_its_targets() -> None:
    figures = measure_package(PACKAGE)
    assert figures.participle_names / figures.names < 0.02
    assert figures.verb_docstrings / figures.docstrings > 0.9
    assert figures.wide_signatures == 0, figures.complaints
    arrows = import_arrows(PACKAGE)
    assert find_cycles(arrows) == find_cycles(folder_arrows(PACKAGE, arrows)) == []
