"""What other programs are told of a spec's faults: lines, JSON, GitHub's annotations, SARIF."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from error_cases import FOLDER, diagnose

from cnndsl.diagnostics import MOST, Code, Diagnostic, Note
from cnndsl.network import compile_spec
from cnndsl.report_formats import FORMATS, as_json, concise, github, sarif
from cnndsl.source import Source, Span
from cnndsl.spec.document import Text

TEXT = "input: [1, 8, 8]\nnetwork:\n  - Flatten\n  - Linear: {out_features:\n      0}\n"
SOURCE = Source("nets/a b.yaml", TEXT)
FAULT = Diagnostic(
    Code.SHAPE,
    "100% wrong,\nhere: there",
    Span(SOURCE, TEXT.index("{"), TEXT.index("}") + 1),
    "write 1",
    (Note("a note without a place"), Note("it stands here", Span(SOURCE, 0, 5))),
)


def test_concise_is_one_line_each_and_says_how_many_are_left_out() -> None:
    assert concise([Diagnostic(Code.UNUSED, "idle", Span(SOURCE, 0, 5))]) == "nets/a b.yaml:1:1: warning[CNN101]: idle"
    lines = concise([FAULT] * (MOST + 7)).replace("\nhere", " here").splitlines()
    assert len(lines) == MOST + 1
    assert lines[-1] == "7 more are not shown"


def test_github_is_given_its_escapes() -> None:
    assert github([FAULT]) == (
        "::error file=nets/a b.yaml,line=4,col=13,endColumn=27,title=CNN030::100%25 wrong,%0Ahere: there"
        "%0Anote: a note without a place%0Anote: it stands here%0Ahelp: write 1"
    )
    span = Span(Source("a,b:c%.yaml", "x"), 0, 1)
    assert "file=a%2Cb%3Ac%25.yaml,line=1" in github([Diagnostic(Code.UNUSED, "idle", span)])


def test_sarif_has_a_rule_for_each_code_and_places_for_each_note() -> None:
    (run,) = json.loads(sarif([FAULT, Diagnostic(Code.UNUSED, "idle"), FAULT]))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["CNN030", "CNN101"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 0]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "error"]
    (place,) = run["results"][0]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "nets/a%20b.yaml"},
        "region": {"startLine": 4, "startColumn": 13, "endColumn": 27},
    }
    (related,) = run["results"][0]["relatedLocations"]
    assert related["message"] == {"text": "it stands here"}
    assert "locations" not in run["results"][1]


@pytest.mark.parametrize("form", FORMATS)
def test_what_stands_in_an_option_is_in_no_file(form: str) -> None:
    faults = compile_spec(Text(TEXT.replace("{out_features:\n      0}", "3")), given=["width=3"]).diagnostics
    told = FORMATS[form](faults)
    assert "CNN018" in told
    assert form in ("concise", "json") or not re.search("file|artifactLocation", told)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_error_case_in_every_format(path: Path) -> None:
    faults = diagnose(path)
    assert len(json.loads(as_json(faults))) == len(faults)
    assert len(json.loads(sarif(faults))["runs"][0]["results"]) == len(faults)
    assert [line[:2] for line in github(faults).splitlines()] == ["::"] * len(faults)
    assert len(concise(faults).splitlines()) == min(len(faults), MOST + 1)
    for fault, result in zip(faults, json.loads(sarif(faults))["runs"][0]["results"]):
        if fault.span:
            region = result["locations"][0]["physicalLocation"]["region"]
            marked = fault.span.source.line(region["startLine"])[region["startColumn"] - 1 : region["endColumn"] - 1]
            assert marked.startswith(fault.span.first_line.text)
            assert region["endColumn"] > region["startColumn"]
