"""Flowcharts for READMEs: that they have the boxes and lines of the figure, and that no text of a spec is syntax."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cnndsl
from cnndsl.cli import cli
from cnndsl.emit.diagram.mermaid import CHARACTERS, EDGES, escaped

ROOT = Path(__file__).parent.parent
ARCHS = sorted(path for path in (ROOT / "archs").rglob("*.yaml") if path.parent.name != "blocks")

#: All that a line of a chart may be.
GRAMMAR = re.compile(
    r"""(?:
    flowchart\ (?:TB|BT|LR|RL) | direction\ (?:TB|BT|LR|RL) | end
    | subgraph\ n\d+\["[^"\n]*"\]
    | n\d+ (?: \["[^"\n]*"\] | \(\["[^"\n]*"\]\) | \(\("[^"\n]*"\)\) | \[\["[^"\n]*"\]\] )
    | n\d+\ -->(?:\|"[^"\n]*"\|)?\ n\d+
    | classDef\ c\d+\ fill:[\#\w]+,stroke:[\#\w]+,color:[\#\w]+
    | class\ n\d+(?:,n\d+)*\ c\d+
    )""",
    re.VERBOSE,
)


def chart(name: str) -> str:
    return cnndsl.load(ROOT / "archs" / f"{name}.yaml").mermaid()


def label(text: str) -> str:
    """What Mermaid shows for a label."""
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


def test_a_small_network() -> None:
    text = cnndsl.loads(
        "name: net\ninput: [3, 8, 8]\nnetwork: [Conv2d: [4, 3], BatchNorm2d, ReLU, Flatten, Linear: 10]"
    ).mermaid()
    assert text == (
        "flowchart TB\n"
        '  subgraph n1["net"]\n'
        "    direction TB\n"
        '    n2(["input"])\n'
        '    n3["Conv2d 4, 3×3 · BN · ReLU"]\n'  # noqa: RUF001
        '    n4["Flatten · Linear 10"]\n'
        '    n5(["output"])\n'
        '    n2 -->|"3×8×8"| n3\n'  # noqa: RUF001
        '    n3 -->|"4×6×6"| n4\n'  # noqa: RUF001
        '    n4 -->|"10"| n5\n'
        "  end\n"
        "  classDef c1 fill:white,stroke:white,color:#1F2328\n"
        "  class n1 c1\n"
        "  classDef c2 fill:white,stroke:#6E7781,color:#1F2328\n"
        "  class n2,n5 c2\n"
        "  classDef c3 fill:#C3DCF0,stroke:#5B9BC8,color:#1F2328\n"
        "  class n3 c3\n"
        "  classDef c4 fill:#EBCFDF,stroke:#C07FA5,color:#1F2328\n"
        "  class n4 c4\n"
    )


def check(text: str) -> None:
    """Each line is one of those that we write, each name is defined once, and Mermaid's limits are kept."""
    lines = [line.strip() for line in text.splitlines()]
    assert [line for line in lines if not GRAMMAR.fullmatch(line)] == []
    defined = re.findall(r"^ *(?:subgraph )?(n\d+)[\[(]", text, re.MULTILINE)
    used = set(re.findall(r"\bn\d+\b", re.sub(r'"[^"]*"', "", text)))
    assert len(defined) == len(set(defined))
    assert used == set(defined)
    assert len(text) <= CHARACTERS and text.count("-->") <= EDGES
    assert sum(line.startswith("subgraph") for line in lines) == lines.count("end")


@pytest.mark.parametrize("path", ARCHS[::8], ids=lambda path: path.stem)
def test_a_network_gives_a_chart_that_mermaid_takes(path: Path) -> None:
    check(cnndsl.load(path).mermaid())


@pytest.mark.slow
def test_every_network_gives_a_chart_that_mermaid_takes() -> None:
    for path in ARCHS:
        check(cnndsl.load(path).mermaid())


def test_a_block_is_a_subgraph_with_its_skip() -> None:
    text = chart("resnet18")
    blocks = re.findall(r'subgraph (n\d+)\["(.*?)"\]\n(.*?)\n  end', text, re.DOTALL)
    assert [label(name).split(" (")[0] for _, name, _ in blocks] == ["BasicBlock", "BasicBlock", "resnet18"]
    for _, _, inside in blocks[:2]:
        (add,) = re.findall(r'(n\d+)\(\("#43;|(?<!\S)(n\d+)\(\("\+', inside)[0:1]
        assert inside.count(f"--> {''.join(add)}") == 2


def test_depth_and_direction() -> None:
    net = cnndsl.load(ROOT / "archs" / "resnet18.yaml")
    assert net.mermaid(depth=1).count("subgraph") == 1
    assert net.mermaid(rankdir="LR").startswith("flowchart LR\n")
    with pytest.raises(ValueError, match="rankdir must be"):
        net.mermaid(rankdir="XY")


def test_a_network_that_is_too_large_has_less_depth() -> None:
    text = "name: net\ninput: [4, 8, 8]\nblocks:\n" + "".join(
        f"  B{n}:\n" + f"    - {{Conv2d: [{n % 7 + 1}, 1]}}\n    - {{Conv2d: [{n % 5 + 1}, 1]}}\n" for n in range(250)
    )
    text += "network:\n" + "".join(f"  - B{n}\n" for n in range(250))
    drawn = cnndsl.loads(text).mermaid()
    assert drawn.count("-->") <= EDGES
    assert len(drawn) <= CHARACTERS
    assert drawn.count("subgraph") == 1


# --- texts of a spec -----------------------------------------------------------------------------

HOSTILE = [
    '"]; click n1 "javascript:alert(1)"', "<img src=x onerror=alert(1)>", '%%{init: {"theme": "dark"}}%%', "`**bold**`",
    "fa:fa-car", "$$x^2$$", "#quot; #35;", "\\n", "a|b", "x --> y", "[[x]]", "A & B; C", "日本", "{{x}}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_syntax(text: str) -> None:
    """Only letters, digits, codes, and signs that mean nothing within quotes are left."""
    written = escaped(text)
    assert label(written) == text.replace("\\n", "\\n")
    assert not re.search(r'["<>`%$&|{}\[\]\\:;*_~@^]', re.sub(r"#\d+;", "", written))


def test_names_of_a_network_are_escaped() -> None:
    """A name may be a word of Mermaid's."""
    text = cnndsl.loads("name: end\ninput: {subgraph: [3, 8, 8]}\nnetwork: [{name: click, Conv2d: [4, 1]}]").mermaid()
    assert all(GRAMMAR.fullmatch(line.strip()) for line in text.splitlines())


# --- the command line ----------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli(["draw", *arguments])
    return int(ended.value.code or 0)


def test_the_command_prints_a_chart(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(ROOT / "archs" / "lenet.yaml"), "--format", "mermaid") == 0
    assert capsys.readouterr().out == chart("lenet")


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone, block = tmp_path / "net.mmd", tmp_path / "net.md"
    for path in (alone, block, alone):  # the last time over our own file
        assert run(str(ROOT / "archs" / "lenet.yaml"), "-o", str(path)) == 0
    assert alone.read_text() == f"%% Generated by cnndsl\n{chart('lenet')}"
    assert block.read_text() == f"<!-- Generated by cnndsl -->\n```mermaid\n{chart('lenet')}```\n"
    block.write_text("# mine\n")
    assert run(str(ROOT / "archs" / "lenet.yaml"), "-o", str(block)) == 2
    assert block.read_text() == "# mine\n"
    capsys.readouterr()
    assert run(str(ROOT / "archs" / "lenet.yaml"), "-o", str(alone), "--dpi", "100") == 2
    assert "--dpi has no meaning for a flowchart" in capsys.readouterr().err
    assert run(str(ROOT / "archs" / "lenet.yaml"), "-o", str(alone), "--style", "layers") == 2
    assert "--style has no meaning for a flowchart" in capsys.readouterr().err
    assert run(str(ROOT / "archs" / "lenet.yaml"), "-o", str(tmp_path / "net.svg"), "--format", "mermaid") == 2
    assert "net.svg must end in one of .mmd, .md" in capsys.readouterr().err


@pytest.mark.parametrize("merge", ["subtract", "divide"])
def test_the_order_of_operands_is_told(merge: str) -> None:
    def ends(first: str, second: str) -> dict[str, str]:
        """What the lines from the inputs say."""
        chart = cnndsl.loads(
            "input: {a: [8, 4, 4], b: [8, 4, 4]}\nnetwork:\n"
            f"  - branch: [[from: {first}], [from: {second}]]\n    merge: {merge}\n"
        ).mermaid()
        names = dict(re.findall(r'(n\d+)\(\["([ab])"\]\)', chart))
        return {
            names[tail]: label[-1] for tail, label in re.findall(r'(n\d+) -->\|"([^"]*)"\|', chart) if tail in names
        }

    assert ends("a", "b") == {"a": "1", "b": "2"}
    assert ends("b", "a") == {"b": "1", "a": "2"}


def test_the_inputs_of_a_block_are_told() -> None:
    text = """
input: {a: [8, 4, 4], b: [8, 4, 4]}
blocks:
  Two: {inputs: [p, q], steps: [{from: p}, {Conv2d: [8, 3, 1, 1]}, {branch: [[], [from: q]], merge: subtract}]}
network:
  - {name: t, Two: , inputs: INPUTS}
  - Conv2d: [4, 1]
"""
    charts = [cnndsl.loads(text.replace("INPUTS", inputs)).mermaid() for inputs in ("[a, b]", "[b, a]")]
    assert charts[0] != charts[1]
    assert all({*re.findall(r'→ (\w)"\|', chart)} >= {"p", "q"} for chart in charts)
