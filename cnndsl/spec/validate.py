"""Validates a document against the schema.

Most documents fit. jsonschema, which says what does not and why, takes longer to import than most specs to compile, so
it is asked only then. :data:`KEYWORDS` are those that our schema has, with jsonschema's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from cnndsl.diagnostics import Diagnostic
from cnndsl.spec.schema import definition, document
from cnndsl.spec.tree import Tree, plain

#: A schema, or True for any value, or False for none.
Rule: TypeAlias = Mapping[str, Any] | bool
#: Whether a value fits a keyword, given what the keyword holds, and the schema around it.
Check: TypeAlias = Callable[[Any, Any, Mapping[str, Any]], bool]

#: The types of JSON Schema. An integer is a number without a fraction.
_TYPES: dict[type[Any], str] = {
    **{dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean"},
    type(None): "null",
}


def validate(tree: Tree) -> tuple[list[Diagnostic], frozenset[int]]:
    """The structural faults of a document, and the ids of the faulty trees."""
    with suppress(RecursionError):  # of a document that nests deeper than by default
        if fits(plain(tree), document()):
            return [], frozenset()
    from cnndsl.spec.misfits import misfits

    return misfits(tree)


def fits(value: Any, rule: Rule) -> bool:
    """Whether a value, of dicts, lists and scalars, fits a schema."""
    if isinstance(rule, bool):
        return rule
    own = _TYPES.get(type(value))
    for keyword, wanted in rule.items():
        if keyword in KEYWORDS:
            about, check = KEYWORDS[keyword]
            if (about is None or about == own) and not check(value, wanted, rule):
                return False
    return True


def _has_type(value: Any, types: str | list[str], rule: Mapping[str, Any]) -> bool:
    own, allowed = _TYPES.get(type(value)), [types] if isinstance(types, str) else types
    return own in allowed or (own == "number" and "integer" in allowed and value == value // 1)


def _is_one_of(value: Any, values: list[Any], rule: Mapping[str, Any]) -> bool:
    """True is not 1."""
    return any(one == value and isinstance(one, bool) is isinstance(value, bool) for one in values)


def _extras(value: dict[str, Any], rule: Mapping[str, Any]) -> Iterator[Any]:
    """The values of the keys that a schema does not name."""
    known, patterns = rule.get("properties", ()), rule.get("patternProperties", ())
    return (value[key] for key in value if key not in known and not any(re.search(each, key) for each in patterns))


#: The keywords, each with the type of the values that it is about, None for all.
KEYWORDS: dict[str, tuple[str | None, Check]] = {
    "$ref": (None, lambda value, name, rule: fits(value, definition(name.removeprefix("#/$defs/")))),
    "anyOf": (None, lambda value, rules, rule: any(fits(value, each) for each in rules)),
    "not": (None, lambda value, other, rule: not fits(value, other)),
    "enum": (None, _is_one_of),
    "type": (None, _has_type),
    "pattern": ("string", lambda value, pattern, rule: re.search(pattern, value) is not None),
    "minimum": ("number", lambda value, least, rule: value >= least),
    "maximum": ("number", lambda value, most, rule: value <= most),
    "exclusiveMinimum": ("number", lambda value, below, rule: value > below),
    "exclusiveMaximum": ("number", lambda value, above, rule: value < above),
    "minItems": ("array", lambda value, least, rule: len(value) >= least),
    "maxItems": ("array", lambda value, most, rule: len(value) <= most),
    "prefixItems": ("array", lambda value, rules, rule: all(map(fits, value, rules))),
    "items": ("array", lambda value, each, rule: all(fits(i, each) for i in value[len(rule.get("prefixItems", ())) :])),
    "minProperties": ("object", lambda value, least, rule: len(value) >= least),
    "maxProperties": ("object", lambda value, most, rule: len(value) <= most),
    "required": ("object", lambda value, names, rule: all(name in value for name in names)),
    "propertyNames": ("object", lambda value, each, rule: all(fits(key, each) for key in value)),
    "properties": ("object", lambda value, known, rule: all(fits(value[k], known[k]) for k in value if k in known)),
    "patternProperties": (
        "object",
        lambda value, known, rule: all(
            fits(value[key], known[each]) for each in known for key in value if re.search(each, key)
        ),
    ),
    "additionalProperties": ("object", lambda value, each, rule: all(fits(one, each) for one in _extras(value, rule))),
    "dependentSchemas": ("object", lambda value, rules, rule: all(fits(value, rules[k]) for k in rules if k in value)),
}
