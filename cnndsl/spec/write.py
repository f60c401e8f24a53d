"""A tree -> YAML text that reads back as the same tree."""

from __future__ import annotations

from typing import Any

import yaml

from cnndsl.spec.tree import Mapping, plain, scalar_value


def write(tree: Mapping) -> str:
    """The text of a document. What YAML 1.2 reads as anything but a text is quoted where a text is meant."""
    text: str = yaml.dump(plain(tree), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _is_plain(text) else '"')


def _is_plain(text: str) -> bool:
    """Whether the text, unquoted, is a text to us. PyYAML, which holds to YAML 1.1, judges for itself."""
    try:
        return scalar_value(text) is text
    except ValueError:
        return False


_Dumper.add_representer(str, _text)
