"""Writes the generated pages and pictures of docs/: `make docs`."""

from __future__ import annotations

import ast
import inspect
import json
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import cnndsl
from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.emit.reference import layer_reference
from cnndsl.emit.table import human
from cnndsl.explanations import examples, explain
from cnndsl.network import compile_spec
from cnndsl.spec.editor import editor_schema
from cnndsl.zoo import family, specs

DOCS = Path(__file__).parent
ARCHS = DOCS.parent / "archs"


def main() -> None:
    (DOCS / "layers.md").write_text(layer_reference())
    (DOCS / "errors.md").write_text(error_reference())
    (DOCS / "schema.json").write_text(json.dumps(editor_schema(), indent=1) + "\n")
    (DOCS / "recipes.md").write_text(recipe_reference())
    (DOCS / "zoo.md").write_text(zoo_reference())
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


# --- the zoo ---------------------------------------------------------------------------------------------


def zoo_reference() -> str:
    """Every network with its costs, and the lines of YAML of each family against torchvision's of Python."""
    rows = [_network_row(name) for name in specs()]
    families = sorted({family(name) for name in specs() if specs()[name].parent.name == "torchvision"})
    shared = sum(_lines_of_yaml(path) for path in (ARCHS / "torchvision" / "blocks").glob("*.yaml"))
    return ZOO.format(shared=shared, networks="\n".join(rows), lines="\n".join(map(_lines_row, families)))


ZOO = """\
# The zoo

Generated from `archs/`. These specs come with the package, and are read by name wherever a spec is, from any
folder:

```console
$ cnndsl zoo resnet
$ cnndsl shapes zoo:resnet50
$ cnndsl new mine --from zoo:resnet18
$ cnndsl train mine.yaml -p classes=10 --weights torchvision:resnet18/IMAGENET1K_V1 --partial
```

Torchvision's networks have torchvision's names for every parameter and buffer, so that its checkpoints load as they
are; where a name there cannot be one here, the spec's `rename` says so. Outputs in evaluation are torchvision's bit
for bit. `googlenet` and `inception_v3` have no auxiliary heads, `googlenet_aux` and `inception_v3_aux` have them as
outputs; torchvision's checkpoints have them too, and load into these, or with `--partial` into the others.
Torchvision changes the images for these two before they go in, when it gives them its own weights; here they are to
come normalised with a mean and a standard deviation of 0.5.

The classic networks, for images of Fashion-MNIST, have `classic/` before their names, which may be left out where
torchvision has none of that name.

| network | parameters | MACs | input | |
| --- | ---: | ---: | --- | --- |
{networks}

## Lines

Lines that are neither empty nor comments or docstrings: of a family's specs, and of torchvision's module of the
same networks without its tables of weights. What several families share is not counted: here the blocks in
`archs/torchvision/blocks`, {shared} lines, there those of `torchvision.ops.misc`.

| family | networks | lines of YAML | lines of Python |
| --- | ---: | ---: | ---: |
{lines}
"""
#: The modules of torchvision in which families are defined that have none of their own name.
MODULES = {"mobilenet": "mobilenetv2 mobilenetv3", "shufflenet": "shufflenetv2"}


def _network_row(name: str) -> str:
    net = cnndsl.load(f"zoo:{name}")
    inputs = ", ".join(str([*tensor.shape.sample]) for tensor in net.graph.inputs.values())
    cost = net.cost
    path = specs()[name].relative_to(ARCHS.parent).as_posix()
    return (
        f"| [{name}](../{path}) | {cost.params:,} | {human(cost.macs)} | {inputs} | {net.graph.document.description} |"
    )


def _lines_row(kind: str) -> str:
    members = [path for name, path in specs().items() if path.parent.name == "torchvision" and family(name) == kind]
    yaml = sum(map(_lines_of_yaml, members))
    if kind in ("resnext", "wide_resnet"):
        return f"| {kind} | {len(members)} | {yaml} | in resnet's |"
    modules = MODULES.get(kind, kind).split()
    return f"| {kind} | {len(members)} | {yaml} | {sum(map(_lines_of_python, modules))} |"


def _lines_of_yaml(path: Path) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in path.read_text().splitlines())


def _lines_of_python(module: str) -> int:
    """Lines of the classes and functions of a module of torchvision's that are no tables of weights."""
    text = inspect.getsource(import_module(f"torchvision.models.{module}"))
    lines: set[int] = set()
    for node in ast.parse(text).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.endswith("_Weights"):
            lines.update(range(min((d.lineno for d in node.decorator_list), default=node.lineno), node.end_lineno + 1))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):  # a docstring
                    lines.difference_update(range(inner.lineno, inner.end_lineno + 1))
    written = text.splitlines()
    return sum(bool(written[n - 1].strip()) and not written[n - 1].lstrip().startswith("#") for n in lines)


if __name__ == "__main__":
    main()
