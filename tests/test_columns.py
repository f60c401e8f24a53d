"""The columns of the table: what they hold, beside torchinfo and fvcore, and the choice of rows and columns."""

# ruff: noqa: RUF001

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from click.testing import CliRunner
from msgspec.structs import replace

import cnndsl
from cnndsl.cells import width
from cnndsl.cli.shapes import shapes
from cnndsl.emit.table import COLUMNS, UnknownName, as_markdown, as_plain, as_text
from cnndsl.emit.table.formats import ENDINGS, FORMATS
from cnndsl.emit.table.latex import as_latex
from cnndsl.emit.table.page import as_html, as_page
from cnndsl.emit.table.programs import as_csv, as_json
from cnndsl.grid import Medium

ROOT = Path(__file__).parent.parent
ALL = ",".join(COLUMNS)

SPEC = """
name: mixed
input: [2, 8, 8]
blocks:
  Half(channels):
    - residual:
        - {name: conv, Conv2d: {out_channels: $channels, kernel_size: [3, 1], stride: 2, padding: [1, 0], groups: 2}}
        - FrozenBatchNorm2d
      shortcut: [{name: project, Conv2d: [$channels, 1, 2]}]
network:
  - {name: stem, Half: 4}
  - {ReLU: {inplace: true}}
  - {Upsample: {scale_factor: 2}}
  - Flatten
  - {name: head, Linear: 3}
"""


@pytest.fixture
def net() -> cnndsl.Network:
    return cnndsl.loads(SPEC)


def cells(net: cnndsl.Network, name: str, **choice: Any) -> dict[str, Any]:
    """What a column has for programs, by paths."""
    data = json.loads(as_json(net.shapes(columns=["path", name], **choice)))
    (key,) = {*data["rows"][0]} - {"path"}
    return {row["path"]: row[key] for row in data["rows"]}


# --- beside torchinfo and fvcore -----------------------------------------------------------------

#: Networks, and the samples that they take here.
NETWORKS = {
    "lenet_bn": (1, 28, 28),
    "torchvision/resnet18": (3, 64, 64),
    "torchvision/mobilenet_v2": (3, 64, 64),
    "torchvision/googlenet": (3, 64, 64),
    "signal1d": (1, 4000),
    "dcgan_generator": (100, 1, 1),
}
#: The columns as torchinfo calls them, and a layer's numbers there.
THEIRS = {
    "kernel_size": lambda layer: _each_axis(layer.kernel_size, len(layer.input_size) - 2),
    "input_size": lambda layer: layer.input_size,
    "output_size": lambda layer: layer.output_size,
    "num_params": lambda layer: layer.num_params,
    "groups": lambda layer: getattr(layer.module, "groups", None),
}


def _each_axis(value: int | list[int] | None, axes: int) -> list[int] | None:
    """torchinfo has the kernel of a pooling as it was written."""
    return [value] * axes if isinstance(value, int) else value


@pytest.mark.parametrize("name", NETWORKS)
def test_columns_are_those_of_torchinfo(name: str) -> None:
    from torchinfo import summary

    net = cnndsl.load(f"zoo:{name}").at_size(NETWORKS[name])
    module = net.module().eval()
    paths = {id(each): path for path, each in module.named_modules()}
    found = summary(module, input_size=(1, *NETWORKS[name]), verbose=0, depth=50)
    layers = {paths[layer.layer_id]: layer for layer in found.summary_list if layer.is_leaf_layer}
    rows = json.loads(as_json(net.shapes(columns=["path", *THEIRS, "params_percent"])))["rows"]
    ours = {row.pop("path"): row for row in rows}
    for path, layer in layers.items():
        assert [*ours[path].values()][:-1] == [theirs(layer) for theirs in THEIRS.values()], path
        assert ours[path]["params%"] == pytest.approx(100 * layer.num_params / found.total_params, abs=1e-4)
    assert {*layers} == {
        path for path in ours if path in paths.values() and not [*module.get_submodule(path).children()]
    }


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_macs_are_those_that_fvcore_counts(name: str) -> None:
    from fvcore.nn import FlopCountAnalysis

    net = cnndsl.load(f"zoo:{name}").at_size(NETWORKS[name])
    counted = FlopCountAnalysis(net.module().eval(), torch.rand(1, *NETWORKS[name]))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    theirs = counted.by_module_and_operator()
    macs, shares = cells(net, "mult_adds"), cells(net, "macs%")
    whole = sum(theirs[""][kind] for kind in ("conv", "linear"))
    for path, found in macs.items():
        if path in theirs:
            assert found == sum(theirs[path].get(kind, 0) for kind in ("conv", "linear")), path
            assert shares[path] == pytest.approx(100 * found / whole, abs=1e-4)


# --- values --------------------------------------------------------------------------------------


def test_each_column_has_its_value(net: cnndsl.Network) -> None:
    rows = json.loads(as_json(net.shapes(columns=ALL)))["rows"]
    assert [*rows[0]] == [*COLUMNS]
    found = {row["path"]: row for row in rows}
    assert found["stem.conv"] == {
        "path": "stem.conv",
        "layer": "Conv2d",
        "arguments": {"out_channels": 4, "kernel_size": [3, 1], "stride": 2, "padding": [1, 0], "groups": 2},
        "kernel": [3, 1],
        "groups": 2,
        "input": [1, 2, 8, 8],
        "output": [1, 4, 4, 4],
        "params": 4 * 3 + 4,
        "params%": round(100 * 16 / 799, 4),
        "trainable": True,
        "buffers": 0,
        "bytes": 4 * 16,
        "macs": 4 * 16 * 3,
        "macs%": round(100 * 192 / 1088, 4),
        "memory": 4 * 4 * 16,
        "memory%": round(100 * 256 / 2060, 4),
        "field": [3, 1],
        "stride": [2, 2],
        "dtype": "float32",
        "line": "<text>:7",
        "depth": 2,
    }
    assert found["stem.bn1"]["trainable"] is False and found["1"]["trainable"] is None
    assert found["1"]["memory"] == found["3"]["memory"] == 0
    assert found["stem"]["memory"] == 4 * 256 and found["2"]["stride"] == [1, 1]
    assert found["head"]["field"] == ["all", "all"] and found["head"]["stride"] == [None, None]


def test_bytes_are_those_of_the_type(net: cnndsl.Network) -> None:
    for name in ("bytes", "memory"):
        full, half = cells(net, name), cells(net, name, dtype="bfloat16")
        assert half == {path: size / 2 for path, size in full.items()}
    assert cells(net, "dtype", dtype="float64")["head"] == "float64"
    memory = json.loads(as_json(net.shapes(dtype="float16")))["memory"]
    assert (memory["parameters"], memory["dtype"], memory["batch"]) == (2 * 799, "float16", 1)
    assert as_plain(net.shapes(dtype="float16")).splitlines()[-2] == "1.60 kB of parameters in float16"


def test_fields_of_several_inputs_and_outputs_have_names() -> None:
    text = """
input: {left: [2, 16, 16], right: [2, 16, 16]}
blocks:
  Two: {outputs: [a, b], steps: [{name: a, Conv2d: [2, 3, 1, 1]}, {name: b, Conv2d: [2, 3, 2, 1]}]}
network:
  - {name: two, Two: }
  - {branch: [[], [{from: right}, MaxPool2d: 2]], merge: add}
"""
    table = cnndsl.loads(text).shapes(columns="path,field,stride")
    rows = {row["path"]: row for row in json.loads(as_json(table))["rows"]}
    assert rows["two"]["field"] == {"a": {"left": [3, 3]}, "b": {"left": [5, 5]}}
    assert rows["add1"]["field"] == {"left": [5, 5], "right": [2, 2]}
    shown = as_plain(table)
    assert "left 5×5, right 2×2  left 2×2, right 2×2" in shown
    assert "a left 3×3" in shown and "b left 5×5" in shown


def test_the_row_of_an_error_has_what_is_known() -> None:
    with pytest.raises(cnndsl.SpecError) as raised:
        cnndsl.loads("input: [2, 8, 8]\nnetwork:\n- Conv2d: [4, 3]\n- sequential: [ReLU, Conv2d: [4, 9]]")
    from cnndsl.emit.table import Choice

    assert raised.value.partial is not None
    table = Choice.of(ALL).table(raised.value.partial)
    for form in (as_plain, as_text, as_json, as_csv, as_markdown, as_html, as_page, as_latex):
        assert "Conv2d" in form(table)
    assert "activations" not in as_plain(table) and json.loads(as_json(table))["memory"] is None


# --- names ---------------------------------------------------------------------------------------


def test_names_are_easy_to_type(net: cnndsl.Network) -> None:
    names = net.shapes(
        columns=" Path,layer,num-params,%,MACs, % ,Receptive Field".replace("Receptive Field", "RF")
    ).columns
    assert names == ("path", "layer", "params", "params%", "macs", "macs%", "field")
    aliases = [alias for column in COLUMNS.values() for alias in column.aliases]
    assert net.shapes(columns=aliases[:1]).columns == ("path",)
    assert len({*aliases, *COLUMNS}) == len(aliases) + len(COLUMNS)


@pytest.mark.parametrize(
    ("choice", "message", "help"),
    [
        ({"columns": "path,parms"}, "there is no column `parms`", "did you mean `params`?"),
        ({"columns": "zzzzzzzz"}, "there is no column `zzzzzzzz`", "the columns are path, layer, "),
        ({"columns": "%,path"}, "`%` is the share of the column before it", "it follows params, macs, memory"),
        ({"columns": "path,%"}, "`%` is the share of the column before it", "it follows params, macs, memory"),
        ({"columns": "params,%,%"}, "`%` is the share of the column before it", "it follows params, macs, memory"),
        ({"sort": "%"}, "`%` is the share of the column before it", "it follows params, macs, memory"),
        ({"columns": ","}, "the name of a column is empty", "the columns are path, layer, "),
        ({"columns": ""}, "the name of a column is empty", "the columns are path, layer, "),
        ({"sort": "-"}, "the name of a column is empty", "the columns are path, layer, "),
        ({"sort": "--params"}, "there is no column `-params`", "did you mean `params`?"),
        ({"columns": "path,params,num_params"}, "the column `params` appears twice", "remove one"),
        ({"sort": "marcs"}, "there is no column `marcs`", "did you mean `macs`?"),
        ({"filter": "Conv3d"}, "no path or layer matches `Conv3d`", "did you mean `Conv2d`?"),
        ({"filter": ["x.*", "y"]}, "no path or layer matches `x.*` or `y`", "`*` stands for any characters"),
        ({"dtype": "float8"}, "there is no type `float8`", "the types are float16"),
    ],
)
def test_names_that_are_not_known(net: cnndsl.Network, choice: Any, message: str, help: str) -> None:
    with pytest.raises(UnknownName) as raised:
        net.shapes(**choice)
    assert str(raised.value) == message and raised.value.help.startswith(help)
    if "dtype" not in choice:  # click knows the types
        done = on_command_line(choice)
        assert done.exit_code == 2 and f"Error: {message}: {help}" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"top": 0}, ValueError, "top must be 1 or more, not 0"),
        ({"top": -3}, ValueError, "top must be 1 or more, not -3"),
        ({"top": True}, TypeError, "top must be an integer, not true"),
        ({"depth": 0}, ValueError, "depth must be 1 or more, not 0"),
        ({"depth": "1"}, TypeError, 'depth must be an integer, not "1"'),
        ({"batch": 0}, ValueError, "batch must be 1 or more, not 0"),
        ({"batch": 2.0}, TypeError, "batch must be an integer, not 2.0"),
        ({"columns": 5}, TypeError, "columns must be a str or a list of them, not 5"),
        ({"columns": ["path", 5]}, TypeError, 'columns must be a str or a list of them, not ["path", 5]'),
        ({"filter": 5}, TypeError, "filter must be a str or a list of them, not 5"),
        ({"sort": 5}, TypeError, "sort must be a str, not 5"),
        ({"dtype": ["float32"]}, TypeError, 'dtype must be a str, not ["float32"]'),
    ],
)
def test_python_refuses_what_the_command_line_does(
    net: cnndsl.Network, choice: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        net.shapes(**choice)
    if error is ValueError:
        assert on_command_line(choice).exit_code == 2


def test_a_batch_is_that_of_the_command_line(net: cnndsl.Network) -> None:
    done = on_command_line({"batch": 3, "format": "json", "columns": "path,macs,output,memory"})
    table = net.shapes(batch=3, columns="path,macs,output,memory")
    assert json.loads(table.to("json")) == json.loads(done.output) | {"name": table.name}
    assert table.inputs["x"] == (3, 2, 8, 8) and net.shapes().inputs["x"] == (1, 2, 8, 8)
    assert net.at_size((2, 16, 16)).shapes(batch=2).inputs["x"] == (2, 2, 16, 16)
    with pytest.raises(cnndsl.SpecError, match="the limit is"):
        net.shapes(batch=10**9)


def on_command_line(choice: dict[str, Any]) -> Any:
    flags = [
        f"--{key}={each}" for key, value in choice.items() for each in (value if isinstance(value, list) else [value])
    ]
    with TemporaryDirectory() as folder:
        spec = Path(folder, "net.yaml")
        spec.write_text(SPEC)
        return CliRunner().invoke(shapes, [str(spec), *flags])


# --- rows ----------------------------------------------------------------------------------------


def paths(net: cnndsl.Network, **choice: Any) -> list[str]:
    return [row.path for row in net.shapes(**choice).rows]


def test_a_filter_keeps_rows_by_path_or_layer(net: cnndsl.Network) -> None:
    assert paths(net, filter="Conv*") == ["stem.conv", "stem.project"]
    assert paths(net, filter="stem.*") == ["stem.conv", "stem.bn1", "stem.project", "stem.add1"]
    assert paths(net, filter=["head", "add"]) == ["stem.add1", "head"]
    assert paths(net, filter="stem*", depth=1) == ["stem"]


def test_sorted_rows_are_the_innermost_the_largest_first(net: cnndsl.Network) -> None:
    by_params = paths(net, sort="params")
    assert by_params[:3] == ["head", "stem.conv", "stem.project"] and "stem" not in by_params
    assert paths(net, top=2) == by_params[:2]
    assert paths(net, sort="macs", top=2, depth=1) == ["head", "stem"]
    assert paths(net, sort="field", top=1) == ["head"]  # of the whole input
    assert paths(net, sort="memory", filter="stem.*", top=9) == ["stem.conv", "stem.bn1", "stem.project", "stem.add1"]
    assert paths(net, sort="layer")[:2] == ["stem.conv", "stem.project"]


def test_what_is_shown_is_summed_once(net: cnndsl.Network) -> None:
    within = net.shapes(columns="path,params,%,macs,memory", filter="stem*")  # the module and what is in it
    assert len(within.rows) == 5
    assert as_plain(within).splitlines()[-6:-4] == [
        "5 shown           28      3.5%    320  1.02 kB",
        "total            799    100.0%  1,088  2.06 kB",
    ]
    data = json.loads(as_json(net.shapes(sort="params", top=2)))
    assert data["shown"] == {"params": 771 + 16, "buffers": 0, "macs": 768 + 192}
    assert "shown" not in json.loads(as_json(net.shapes()))


def test_a_minus_reverses_the_order(net: cnndsl.Network) -> None:
    smallest = paths(net, sort="-params")
    assert smallest[-3:] == ["stem.project", "stem.conv", "head"]
    assert paths(net, sort="-params", top=2) == smallest[:2]
    assert paths(net, sort="-layer")[0] == "stem.add1" == paths(net, sort="layer")[-1]
    by_kernel = paths(net, sort="-kernel")  # what is not known comes last in both directions
    assert by_kernel[:2] == ["stem.project", "stem.conv"] and paths(net, sort="kernel")[:2] == by_kernel[1::-1]


# --- formats -------------------------------------------------------------------------------------


def test_csv_has_the_columns(net: cnndsl.Network) -> None:
    header, *rows = csv.reader(io.StringIO(as_csv(net.shapes(columns="path,kernel,field,params,memory%,arguments"))))
    assert header == ["path", "kernel", "field", "params", "memory%", "arguments"]
    assert rows[1][:5] == ["stem.conv", "3×1", "3×1", "16", "12.4272"]
    assert rows[1][5] == "4, [3, 1], stride=2, padding=[1, 0], groups=2"


def test_a_table_has_every_format_of_the_command(net: cnndsl.Network, tmp_path: Path) -> None:
    table = net.shapes(columns="path,params", sort="params", top=2)
    assert [*ENDINGS.values()] == [*FORMATS]
    for ending, form in ENDINGS.items():
        done = on_command_line({"columns": "path,params", "sort": "params", "top": 2, "format": form})
        assert done.output.replace(">net<", f">{table.name}<") == table.to(form)
        path = table.save(tmp_path / f"table{ending}")
        assert path.read_text() == table.to(form)
    with pytest.raises(ValueError, match=r'there is no format "latx": did you mean `latex`\?'):
        table.to("latx")
    with pytest.raises(ValueError, match=r"a table is saved as \.txt, \.json, .*, not as \.pdf"):
        table.save(tmp_path / "table.pdf")
    with pytest.raises(OSError, match="no"):
        table.save(tmp_path / "no" / "table.csv")


def test_a_layer_has_no_arguments_beside_a_column_of_them(net: cnndsl.Network) -> None:
    assert "Linear(3)" in as_plain(net.shapes(columns="path,layer"))
    assert "Linear(" not in as_plain(net.shapes(columns="path,layer,arguments"))


def test_bars_show_shares(net: cnndsl.Network) -> None:
    printed = as_text(net.shapes(columns="path,macs%"), Medium(80)).splitlines()
    assert "head        70.6% ███████" in printed and "stem        29.4% ███" in printed
    narrow = as_text(net.shapes(columns="path,layer,macs%"), Medium(32))
    assert "70.6%" in narrow and "█" not in narrow and "no room" not in narrow
    ascii_only = as_text(net.shapes(columns="path,macs%"), Medium(80, "ascii")).splitlines()
    assert "├ conv" not in ascii_only and "+ project   11.8% #." in [line.replace("|", "+") for line in ascii_only]
    assert "70.6%\n" in as_plain(net.shapes(columns="path,macs%"))


def test_the_tree_is_where_the_paths_are(net: cnndsl.Network) -> None:
    printed = as_text(net.shapes(columns="params,path,layer")).splitlines()
    assert printed[2].split() == ["params", "name", "layer"]
    assert printed[5].startswith("    16  ├ conv ")
    assert printed[-5].split() == ["799", "total"]


@pytest.mark.parametrize("room", [40, 60, 120])
@pytest.mark.parametrize("columns", [ALL, "path,layer,params,%,field,line"])
def test_columns_give_way_on_a_narrow_terminal(net: cnndsl.Network, columns: str, room: int) -> None:
    printed = as_text(net.shapes(columns=columns), Medium(room)).splitlines()
    table = [line for line in printed[2:-4] if not line.startswith("no room for: ")]
    fixed = "input" in columns  # names and shapes are never cut
    assert all(width(line) <= max(room, 60 if fixed else 0) for line in table)
    assert any(line.startswith("no room for: ") for line in printed) == (room == 40 or fixed)


def test_a_page_is_whole_and_well_formed(net: cnndsl.Network) -> None:
    page = as_page(net.shapes(columns="path,layer,params,%"))
    root = ElementTree.fromstring(as_html(net.shapes(columns="path,layer,params,%")))
    assert len([*root.iter("tr")]) == 11 and [*root.iter("caption")]
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n") and "prefers-color-scheme: dark" in page
    assert "http" not in page and "<script" not in page
    assert "transparent 0" in page  # bars


HOSTILE = r'a\b{c}$d & 50% _e_ #f ^g ~h <b>i</b> `j` "k" [l] *m* 卷积 n--o | \input{x}'


@pytest.mark.parametrize("form", [as_html, as_page])
def test_names_cannot_break_a_page(net: cnndsl.Network, form: Any) -> None:
    assert "<b>" not in form(hostile(net)) and "&lt;b&gt;" in form(hostile(net))


def hostile(net: cnndsl.Network, columns: str = "path,layer,output,params,%,field") -> Any:
    table = net.shapes(columns=columns)
    first, *others = table.rows
    return replace(table, name=HOSTILE, rows=(replace(first, path=HOSTILE, layer=HOSTILE), *others))


def test_latex_has_the_columns_and_the_rules(net: cnndsl.Network) -> None:
    lines = as_latex(net.shapes(columns="path,output,params,%,field")).splitlines()
    assert r"\begin{tabular}{llrrl}" in lines
    assert r"path & output & params & params \% & field \\" in lines
    assert r"\hspace*{1em}stem.conv & [1, 4, 4, 4] & 16 & 2.0\% & 3$\times$1 \\" in lines
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\midrule", r"\bottomrule"]


def test_latex_without_sums_has_a_rule_less(net: cnndsl.Network) -> None:
    lines = as_latex(net.shapes(columns="line,field,output")).splitlines()
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert lines[-3].startswith("<text>:") or lines[-3].startswith(r"\textless{}text")


PDFLATEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


def typeset(folder: Path, tables: dict[str, Any]) -> str:
    """What pdflatex says of an article with these tables. It must succeed."""
    for name, table in tables.items():
        table.save(folder / f"{name}.tex")
    inputs = "\n".join(rf"\typeout{{in {name}:}}\noindent\input{{{name}}}\newpage" for name in tables)
    packages = r"\usepackage{array, booktabs, longtable}"
    (folder / "all.tex").write_text(rf"\documentclass{{article}}{packages}\begin{{document}}{inputs}\end{{document}}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    for _ in range(2):  # a longtable knows the widths of its columns the second time
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@PDFLATEX
def test_latex_fits_an_article_or_tells_how_wide_it_is(tmp_path: Path) -> None:
    nets = {name: cnndsl.load(f"zoo:{name}") for name in ("lenet", "resnet18", "unet")}
    tables = {
        "small": nets["lenet"].shapes(),
        "wrapped": nets["unet"].shapes(),
        "wide": nets["resnet18"].shapes(columns="path,layer,output,params,%,macs,%,field,memory"),
        "numbers": nets["resnet18"].shapes(columns="path,output,params,%,macs,%,field"),
    }
    _, *said = re.split(r"in (\w+):", typeset(tmp_path, tables))
    excess = {
        name: max(map(float, re.findall(r"\((\S+)pt too wide", text)), default=0)
        for name, text in zip(said[::2], said[1::2])
    }
    told = {name: [*map(float, re.findall("about ([0-9]+) pt", table.to("latex")))] for name, table in tables.items()}
    assert excess["small"] == 0 and not told["small"] and "footnotesize" not in tables["small"].to("latex")
    assert "raggedright" in tables["wrapped"].to("latex") and excess["wrapped"] < 20
    for name in ("wide", "numbers"):
        assert told[name] == [pytest.approx(345 + excess[name], rel=0.05)]


@PDFLATEX
def test_latex_compiles_whatever_the_names(net: cnndsl.Network, tmp_path: Path) -> None:
    tables = {
        "short": hostile(net),
        "brackets": hostile(net, "output,path"),
        "long": cnndsl.load("zoo:torchvision/resnet50").shapes(columns=ALL),
    }
    typeset(tmp_path, tables)
    assert r"\begin{longtable}" in (tmp_path / "long.tex").read_text(encoding="ascii")


# --- the command and its page --------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "plain", "json", "csv", "markdown", "html", "latex"])
def test_every_format_honours_the_columns(form: str) -> None:
    done = on_command_line({"columns": "path,macs,%,field", "sort": "macs", "top": 2, "format": form})
    assert done.exit_code == 0 and "head" in done.output and "768" in done.output
    assert "Linear" not in done.output and "stem.bn1" not in done.output


def test_every_column_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "tables.md").read_text()
    for column in COLUMNS.values():
        assert f"| `{column.name}`" in page, column.name
        assert all(f"`{alias}`" in page for alias in column.aliases), column.name
