"""Writes the generated pages and pictures of docs/: `make docs`."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import cnndsl
from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.emit.reference import layer_reference
from cnndsl.explanations import examples, explain
from cnndsl.network import compile_spec
from cnndsl.spec.editor import editor_schema

DOCS = Path(__file__).parent
ARCHS = DOCS.parent / "archs"


def main() -> None:
    (DOCS / "layers.md").write_text(layer_reference())
    (DOCS / "errors.md").write_text(error_reference())
    (DOCS / "schema.json").write_text(json.dumps(editor_schema(), indent=1) + "\n")
    (DOCS / "recipes.md").write_text(recipe_reference())
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    for path in sorted(ARCHS.glob("*.yaml")):
        cnndsl.load(path).diagram().save(images / f"{path.stem}.svg")


def error_reference() -> str:
    """The page of every code, and what is said of its wrong spec."""
    head = (
        "# Errors and warnings\n\nGenerated from `cnndsl/explanations`, which `cnndsl explain CODE` shows too. "
        "Codes from CNN001 are errors of specs,\nfrom CNN101 warnings, "
        "from CNN201 what goes wrong with runs and plugins.\n"
    )
    return "\n".join([head, *map(_page, Code)])


def _page(code: Code) -> str:
    heading, text = explain(code.id).removeprefix("# ").split("\n", 1)
    for role in ("wrong", "right"):
        text = text.replace(f"```yaml {role}", f"{role.capitalize()}:\n\n```yaml")
    text = text.replace("```yaml base.yaml", "with `base.yaml`\n\n```yaml")
    told = "\n\n".join(diagnostic.render() for diagnostic in said_of(code, "wrong"))
    if told:
        text = text.replace("\nRight:", f"\n```text\n{told}\n```\n\nRight:")
    return f"## {heading}\n{text}"


def said_of(code: Code, role: str) -> list[Diagnostic]:
    """What the compiler says of the wrong or the right spec on the page of a code."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")  # a name that stays the same, for messages that tell it
        folder.mkdir()
        with chdir(folder):
            options: tuple[str, ...] = ()
            for example in examples(code):
                options = example.options if example.role == role else options
                Path("net.yaml" if example.role == role else example.role).write_text(example.text)
            given = [option for option in options if option != "-p"]
            return compile_spec("net.yaml", given=given).diagnostics if Path("net.yaml").exists() else []


if __name__ == "__main__":
    main()
