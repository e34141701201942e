"""Measure how a Python package is written: `python -m tools.metrics [--list] [FOLDER ...]`, by default `kokoro_server`.

Every figure is counted from the syntax tree, so that packages can be compared side by side:

- function lines: from `def` to the last line, decorators and docstring included; median, 90th percentile, maximum;
- broad excepts: `except:`, `except Exception` and `except BaseException` for each 1,000 lines of code;
- comments: lines that hold a comment, for each 100 lines that hold code;
- verb docstrings: docstrings of public functions and methods whose first word is an imperative verb (see VERBS);
- participle names: functions whose name begins with a participle (`counted`, `packed_rows`), `_` left out;
- wide signatures: functions of more than five parameters (`self` left out) without a comment in the signature;
- import cycles: sets of modules that import each other at their top level, and folders that do.

`--list` prints each docstring, name and signature that is counted against the package.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_PARAMETERS = 5

IRREGULAR_PARTICIPLES = frozenset(
    "begun bought bound broken brought built caught chosen done drawn driven fallen felt fetched found frozen given "  # noqa: SIM905
    "gone got grown heard held hidden kept known laid left lent lost made meant met paid parted said seen sent shown "
    "sold spelt spent spoken stood taken taught thought told torn understood woken won worn written".split()
)
NOT_PARTICIPLES = frozenset(
    "embed exceed feed need ping proceed ring seed setting shed speed string strings thing timing".split()  # noqa: SIM905
)
"""Words with a participle's ending that are none."""

VERBS = frozenset((ROOT / "tools" / "verbs.txt").read_text("utf-8").split())
"""Imperative verbs that a docstring may open with, lower case."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Figures:
    """Hold the counts of one package; `complaints` has one line for each thing counted against it."""

    code_lines: int = 0
    comment_lines: int = 0
    broad_excepts: int = 0
    function_lines: list[int] = field(default_factory=list)
    names: int = 0
    participle_names: int = 0
    docstrings: int = 0
    verb_docstrings: int = 0
    wide_signatures: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, path: Path, node: ast.AST, text: str) -> None:
        """Add a line that says where and what."""
        self.complaints.append(f"{path}:{getattr(node, 'lineno', 1)}: {text}")


def measure_package(folder: Path) -> Figures:
    """Return the figures of every Python file below `folder`."""
    figures = Figures()
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text("utf-8")
        _count_lines(source, figures)
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                figures.broad_excepts += 1
        for function, is_public in iterate_functions(tree):
            _measure_function(function, is_public, source.splitlines(), path, figures)
    return figures


def iterate_functions(tree: ast.Module) -> Iterator[tuple[Function, bool]]:
    """Yield each function and whether it is public: no name on its way begins with an underscore."""

    def walk(node: ast.AST, is_public: bool) -> Iterator[tuple[Function, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, is_public and not child.name.startswith("_")
                yield from walk(child, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, is_public and not child.name.startswith("_"))
            else:
                yield from walk(child, is_public)

    yield from walk(tree, True)


def is_participle(name: str) -> bool:
    """Tell whether a function's name begins with a participle."""
    if name.startswith("__"):
        return False  # Python gives these their names
    word = name.strip("_").split("_")[0].lower()
    if word in NOT_PARTICIPLES or len(word) < 4:
        return False
    return word in IRREGULAR_PARTICIPLES or word.endswith("ed") or word.endswith("ing")


def opens_with_verb(docstring: str) -> bool:
    """Tell whether the first word of a docstring is an imperative verb."""
    words = docstring.split()
    return bool(words) and words[0].strip(".,:;`*'\"").lower() in VERBS


def find_cycles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected sets of more than one name, by Tarjan's algorithm, each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in arrows.get(name, ()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = []
            while (member := stack.pop()) != name:
                group.append(member)
            if group:
                cycles.append(sorted([*group, name]))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return cycles


def import_arrows(folder: Path) -> dict[str, set[str]]:
    """Return, for each module below `folder`, the modules of the same package that it imports at its top level."""
    modules = {_module_name(path, folder): path for path in folder.rglob("*.py")}
    arrows: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                wanted = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                found = {each for each in wanted if each in modules}
                submodules = found - {node.module}
                arrows[name] |= submodules or found  # `from package import module` is about the module
            elif isinstance(node, ast.Import):
                arrows[name] |= {alias.name for alias in node.names} & modules.keys()
        arrows[name].discard(name)
    return arrows


def folder_arrows(folder: Path, arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows between the folders of a package; a module directly in the package counts by itself."""

    def find_home(name: str) -> str:
        path = folder.parent / Path(*name.split("."))
        home = name if path.is_dir() else name.rpartition(".")[0]  # a package's __init__ lies in the folder of its name
        return name if home == folder.name else home

    homes: dict[str, set[str]] = {}
    for name, others in arrows.items():
        here = find_home(name)
        homes.setdefault(here, set()).update(there for other in others if (there := find_home(other)) != here)
    return homes


def _module_name(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _count_lines(source: str, figures: Figures) -> None:
    code: set[int] = set()
    comments: set[int] = set()
    skipped = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    docstrings = _docstring_lines(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in skipped:
            code.update(range(token.start[0], token.end[0] + 1))
    figures.code_lines += len(code - docstrings)
    figures.comment_lines += len(comments)


def _docstring_lines(source: str) -> set[int]:
    """Return the lines of bare strings: docstrings, and those under a constant."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )


def _measure_function(node: Function, is_public: bool, lines: list[str], path: Path, figures: Figures) -> None:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    figures.function_lines.append((node.end_lineno or node.lineno) - first + 1)
    figures.names += 1
    if is_participle(node.name):
        figures.participle_names += 1
        figures.complain(path, node, f"named by a participle: {node.name}")
    docstring = ast.get_docstring(node)
    if docstring and is_public:
        figures.docstrings += 1
        if opens_with_verb(docstring):
            figures.verb_docstrings += 1
        else:
            figures.complain(path, node, f"docstring opens with no verb: {docstring.splitlines()[0]}")
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    count = len([each for each in arguments if each.arg not in ("self", "cls")])
    signature = lines[max(0, first - 2) : node.body[0].lineno]
    if count > MAX_PARAMETERS and not any("#" in line for line in signature):
        figures.wide_signatures += 1
        figures.complain(path, node, f"{count} parameters and no comment: {node.name}")


def format_report(folder: Path, figures: Figures) -> str:
    """Return the figures as a table of two columns."""
    lines = sorted(figures.function_lines) or [0]
    spread = f"{statistics.median(lines):g} / {lines[int(len(lines) * 0.9)]} / {lines[-1]}"
    arrows = import_arrows(folder)
    rows = [
        ("code lines", f"{figures.code_lines}"),
        ("function lines median / p90 / max", spread),
        ("broad excepts per 1,000 lines", f"{1000 * figures.broad_excepts / max(1, figures.code_lines):.2f}"),
        ("comment lines / code lines", _percent(figures.comment_lines, figures.code_lines)),
        ("public docstrings that open with a verb", _percent(figures.verb_docstrings, figures.docstrings)),
        ("functions named by a participle", _percent(figures.participle_names, figures.names)),
        ("signatures over five parameters, no comment", f"{figures.wide_signatures}"),
        ("import cycles between modules", f"{len(find_cycles(arrows))}"),
        ("import cycles between folders", f"{len(find_cycles(folder_arrows(folder, arrows)))}"),
    ]
    return "\n".join([f"## {folder.name}", *(f"{name:<46}{value}" for name, value in rows)])


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def main() -> None:
    """Print the figures of each folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.metrics", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "kokoro_server"], help="folders of packages")
    parser.add_argument("--list", action="store_true", help="print what is counted against each package")
    options = parser.parse_args()
    for folder in options.folders:
        figures = measure_package(folder)
        print(format_report(folder, figures))
        if options.list:
            print(*figures.complaints, sep="\n")
            arrows = import_arrows(folder)
            for cycle in find_cycles(arrows) + find_cycles(folder_arrows(folder, arrows)):
                print("cycle: " + " -> ".join(cycle))


if __name__ == "__main__":
    main()
