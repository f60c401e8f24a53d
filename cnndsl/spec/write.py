"""A tree -> YAML text that gives the same tree when read."""

from __future__ import annotations

from typing import Any

import yaml

from cnndsl.spec.tree import Mapping, plain, scalar_value


def write(tree: Mapping) -> str:
    """The text of a document. Strings that YAML 1.2 would read as something else are quoted."""
    text: str = yaml.dump(plain(tree), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _is_plain(text) else '"')


def _is_plain(text: str) -> bool:
    """Whether the text, unquoted, is a string to us. PyYAML, which follows YAML 1.1, decides for itself."""
    try:
        return scalar_value(text) is text
    except ValueError:
        return False


_Dumper.add_representer(str, _text)
