"""Editors and hooks: a schema that describes every key, and definitions that run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cnndsl.cli import cli
from cnndsl.layers import LAYERS
from cnndsl.source import Source
from cnndsl.spec.editor import editor_schema
from cnndsl.spec.schema import schema
from cnndsl.spec.tree import plain, read

ROOT = Path(__file__).parent.parent
ARCHS = sorted((ROOT / "archs").glob("*.yaml"))


def properties(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property of a schema, at any depth."""
    if isinstance(part, list):
        for item in part:
            yield from properties(item, path)
    elif isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            yield f"{path}/{name}", value
        for key, value in part.items():
            yield from properties(value, f"{path}/{key}")


def test_every_key_and_argument_is_described() -> None:
    whole = editor_schema()
    found = dict(properties(whole))
    assert len(found) > 300
    for path, value in found.items():
        described = value if "description" in value else whole["$defs"][value["$ref"].rsplit("/", 1)[1]]
        assert len(described.get("description", "")) > 5, path
    assert found["/$defs/Conv2d/stride"]["description"].endswith("Default: 1.")
    assert found["/$defs/Conv2d/kernel_size"]["description"].endswith("Required.")
    assert "Inferred" in found["/$defs/Conv2d/in_channels"]["description"]


def test_it_is_no_looser_than_the_compilers_own() -> None:
    ours = {"expects", "help", "subject", "argument", "refers", "description"}

    def without(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: without(value) for key, value in part.items() if key not in ours or isinstance(value, dict)}
        return [without(item) for item in part] if isinstance(part, list) else part

    assert without(editor_schema()) == without(schema())


def test_the_written_schema_is_current_and_a_schema() -> None:
    written = json.loads((ROOT / "docs" / "schema.json").read_text())
    assert written == json.loads(json.dumps(editor_schema())), "run `make docs`"
    Draft202012Validator.check_schema(written)


@pytest.mark.parametrize("path", ARCHS, ids=lambda path: path.stem)
def test_our_specs_name_the_schema_and_keep_it(path: Path) -> None:
    head = path.read_text().splitlines()[0]
    assert head == "# yaml-language-server: $schema=../docs/schema.json"
    assert (path.parent / head.partition("=")[2]).exists()
    Draft202012Validator(editor_schema()).validate(plain(read(Source(path.name, path.read_text()))[0]))


@pytest.mark.parametrize(
    "step",
    [
        "{Conv2d: {kernel: 3}}",
        "{Conv2d: {out_channels: x, kernel_size: 3}}",
        "{repeet: []}",
        "3",
        "{Conv2d: [3, 1], parametrization: weightnorm}",
        "{Conv2d: [3, 1], parametrization: {weight_norm: {n: 1}}}",
        "{Conv2d: [3, 1], parametrization: {spectral_norm: {n_power_iterations: 0}}}",
        "{ReLU: , inline: true}",
        "{ReLU: , inputs: [a]}",
        "{sequential: [ReLU], inputs: [a]}",
        "{sequential: [ReLU], parametrization: weight_norm}",
        "{Upsample: {like: -3x}}",
    ],
)
def test_what_an_editor_marks(step: str) -> None:
    spec = yaml.safe_load(f"input: [1, 8, 8]\nnetwork: [{step}]\n")
    with pytest.raises(ValidationError):
        Draft202012Validator(editor_schema()).validate(spec)


@pytest.mark.parametrize(
    "step",
    [
        "{Conv2d: [3, 1], parametrization: {weight_norm: {dim: 1}}}",
        "{Conv2d: [3, 1], parametrization: {weight_norm: }}",
        "{$conv: , parametrization: $norm}",
        "{Block: , inline: true, inputs: [a], name: b}",
        "{reuse: a, inputs: [a]}",
        "{Upsample: {like: skip$i}}",
    ],
)
def test_what_an_editor_does_not_mark(step: str) -> None:
    Draft202012Validator(editor_schema()).validate(yaml.safe_load(f"input: [1, 8, 8]\nnetwork: [{step}]\n"))


def test_the_hooks_are_verbs_of_ours() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["cnndsl-check", "cnndsl-fmt"]
    for hook in hooks:
        program, verb = hook["entry"].split()
        assert program == "cnndsl" and verb in cli.commands and hook["language"] == "python"


def test_layers_have_their_own_descriptions() -> None:
    described = [editor_schema()["$defs"][name]["description"] for name in LAYERS]
    assert len(set(described)) == len(described)
