"""Which texts are specs: an editor may send any YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cnndsl.spec.schema import document

#: The language that an editor gives to files which are specs for certain.
LANGUAGE = "cnndsl"
_SCHEMA = re.compile(r"^#\s*yaml-language-server:\s*\$schema=\S*cnndsl", re.MULTILINE)
#: A key at the left margin, and what follows up to the next one.
_SECTION = re.compile(r"^([A-Za-z_]\w*)[ \t]*:(.*(?:\n(?![A-Za-z_\"']).*)*)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)#.*")
#: What the sections of a spec look like; others use the same words in other ways, such as netplan's `network`.
_SHAPES = {
    "network": re.compile(r"\s*[-[]"),
    "blocks": re.compile(r"\s*[{\"']?[A-Z]\w*[ \t]*[(:]"),
    "input": re.compile(r"\s*(\[[\s\d]|\{?\s*\w+\s*:\s*\[[\s\d])"),
    "extends": re.compile(r"[ \t]*[\"']?(zoo:|\S+\.ya?ml\b)"),
    "use": re.compile(r"\s*[-[]?\s*[\"']?(zoo:|\S+\.ya?ml\b)"),
}


def is_spec(text: str, language: str) -> bool:
    """Whether a text is a spec: the editor says so, its schema is ours, or it has a section as only specs have it, and
    at least as many keys of ours as of others."""
    if language == LANGUAGE or _SCHEMA.search(text):
        return True
    sections = _sections(text)
    known = sections.keys() & document()["properties"].keys()
    fitting = [key for key, shape in _SHAPES.items() if shape.match(sections.get(key, ""))]
    return bool(fitting) and 2 * len(known) >= len(sections)


def _sections(text: str) -> Mapping[str, str]:
    return {found[1]: _COMMENT.sub("", found[2]) for found in _SECTION.finditer(text.replace("\r\n", "\n"))}
