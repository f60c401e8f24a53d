"""What the schemas of values have in common."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.kinds import EXPRESSION, merge

#: Patterns of names, for editors; :mod:`cnndsl.spec.names` defines names.
NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
PARAMETER = r"^[a-z_][A-Za-z0-9_]*$"
#: A list of steps, and one step.
STEPS: dict[str, Any] = {"$ref": "#/$defs/steps"}
STEP: dict[str, Any] = {"$ref": "#/$defs/step"}


def value(expects: str, description: str = "", **schema: Any) -> dict[str, Any]:
    """The schema of a literal; an expression is always allowed in its place."""
    described = {"description": description} if description else {}
    found = {**merge(schema, EXPRESSION), "expects": expects, **described}
    if "expects" not in schema.get("items", {"expects": ""}):
        found["items"] = {**schema["items"], "expects": expects}
    return found
