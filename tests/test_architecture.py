"""Rules of the code that no type checker enforces."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cnndsl"

#: Each part may import from itself and from those before it.
ORDER = [
    "version", "record", "palette", "json_text", "remedies", "printable", "cells", "grid", "terminal", "zoo",
    "source", "diagnostics", "limits", "explanations", "report_formats", "writing", "picture", "layers", "spec",
    "plugins", "graph", "recipe", "measure", "emit", "weights", "network", "questions", "compare", "explorer", "fmt",
    "editing", "lsp", "serve", "importing", "training", "cli",
]  # fmt: skip


def imports(path: Path) -> set[str]:
    """What a file imports at its top level or inside of functions, but not for types only: modules, and names in
    modules."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


FILES = sorted(PACKAGE.rglob("*.py"))
#: The classes that the emitted source holds copies of. Nothing imports these files, which are read as text.
DEFINITIONS = [path for path in FILES if path.parent.name == "definitions" and path.name != "__init__.py"]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): imports(path) for path in FILES}


def importing(modules: Mapping[str, set[str]]) -> TopologicalSorter[str]:
    """The modules in an order in which each comes after those that it imports."""
    return TopologicalSorter(
        {
            module: {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()
            for module, names in modules.items()
        }
    )


def test_no_modules_import_each_other() -> None:
    """Not even inside of functions, where a cycle only shows when they are called."""
    importing(MODULES).prepare()


def test_a_cycle_would_be_found(tmp_path: Path) -> None:
    late = tmp_path / "late.py"
    late.write_text("def f():\n    from cnndsl.a import b\n")
    with pytest.raises(CycleError):
        importing({"cnndsl.a": {"late.f"}, "late": imports(late)}).prepare()
    importing({"cnndsl.a": {"late.f"}, "cnndsl.a.b": set(), "late": imports(late)}).prepare()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part.startswith("__"):
        return
    allowed = ORDER[: ORDER.index(part) + 1]
    for module in imports(path):
        if module.startswith("cnndsl."):
            assert module.split(".")[1] in allowed, f"{part} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_is_imported_where_a_tensor_is_needed(path: Path) -> None:
    inside = path.relative_to(PACKAGE).as_posix()
    folders = ("importing/", "training/", "weights/")
    needed = inside in ("emit/module.py", "plugins/meta.py") or inside.startswith(folders)
    if not needed and path not in DEFINITIONS:
        assert not {name for name in imports(path) if name.split(".")[0] in ("torch", "torchvision")}


def test_definitions_are_for_the_emitted_source() -> None:
    """They need what it imports and nothing else, and cnndsl itself never imports them."""
    definitions = {module_of(path) for path in DEFINITIONS}
    assert definitions and all(MODULES[module] <= {"torch", "torch.nn"} for module in definitions)
    for module, names in MODULES.items():
        assert not definitions & {*names, *(name.rpartition(".")[0] for name in names)}, module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_place_prints(path: Path) -> None:
    """What is printed elsewhere may hold escape sequences, or characters that an encoding does not have."""
    inside = path.relative_to(PACKAGE).as_posix()
    code = ast.parse(path.read_text())
    called = {ast.unparse(node.func) for node in ast.walk(code) if isinstance(node, ast.Call)}
    printing = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "Console"}
    allowed = {"terminal.py": {"Console"}, "cli/streams.py": {"print"}}
    if "__main__" not in path.read_text():
        assert not (called & printing) - allowed.get(inside, set())


def test_the_graph_knows_no_yaml_and_the_spec_no_graph() -> None:
    for path in (PACKAGE / "graph").rglob("*.py"):
        assert "yaml" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_functions_fit_a_screen(path: Path) -> None:
    functions = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))
    long = [n.name for n in functions if (n.end_lineno or 0) - n.lineno >= 50]
    assert long == []


def test_the_emitter_searches_no_text() -> None:
    """Expressions and statements are data until they are written; nothing looks for names in text."""
    emitting = [module for module in MODULES if module.startswith("cnndsl.emit.source")]
    assert emitting and not any("re" in MODULES[module] for module in emitting)
