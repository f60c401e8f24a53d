"""A scene as a LaTeX document that needs TikZ alone, to compile or to copy the ``tikzpicture`` from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnndsl.emit.diagram.volumes.scene import Ball, Face, Group, Item, Line, Point, Scene, Text
from cnndsl.printable import one_line

#: What pdflatex prints without a package for it: ASCII, and the letters of western languages.
KNOWN = {chr(code) for code in (*range(0x20, 0x7F), *range(0xC0, 0x100))} - {*"\u00d0\u00de\u00f0\u00fe"}
#: TeX's own characters, and those of ours that the fonts of pdflatex have only as commands or in formulas.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\ttfamily\char34}",
    "\N{MULTIPLICATION SIGN}": r"\ensuremath{\times}",
    "\N{DIVISION SIGN}": r"\ensuremath{\div}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{MIDLINE HORIZONTAL ELLIPSIS}": r"\ensuremath{\cdots}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
} | {char: f"\\{char}" for char in "#$%&_{}"}


def as_tikz(scene: Scene) -> str:
    """The document. Lengths are TeX's ``bp``, which are points of 1/72 inch; ``y`` goes upwards."""
    items = [item for group in scene.groups for item in _flat(group)]
    if scene.paper != "#FFFFFF":
        items.insert(0, _page(scene))
    colors = {color: f"c{place}" for place, color in enumerate(dict.fromkeys(_colors(items)))}
    corner = scene.left + scene.width, scene.top + scene.height
    lines = [
        "% Compile it with pdflatex, or copy the colours and the tikzpicture into your document.",
        r"\documentclass{article}",
        r"\usepackage{tikz}",
        r"\begin{document}",
        r"\sffamily",
        *(rf"\definecolor{{{name}}}{{HTML}}{{{color[1:]}}}" for color, name in colors.items()),
        r"\setbox0=\hbox{%",
        r"\begin{tikzpicture}[x=1bp, y=1bp, line join=round, inner sep=0, outer sep=0]",
        rf"  \useasboundingbox {_point((scene.left, scene.top))} rectangle {_point(corner)};",
        *(f"  {_item(item, colors)}" for item in items),
        r"\end{tikzpicture}}",
        r"\hoffset=-1in \voffset=-1in \pdfpagewidth=\wd0 \pdfpageheight=\dimexpr\ht0+\dp0",
        r"\shipout\box0",
        "\\end{document}\n",
    ]
    return "\n".join(lines)


def _page(scene: Scene) -> Face:
    left, top, right, bottom = scene.left, scene.top, scene.left + scene.width, scene.top + scene.height
    return Face(((left, top), (right, top), (right, bottom), (left, bottom)), scene.paper, scene.paper)


def _flat(group: Group) -> Iterator[Item]:
    for item in group.items:
        if isinstance(item, Group):
            yield from _flat(item)
        else:
            yield item


def _colors(items: list[Item]) -> Iterator[str]:
    for item in items:
        yield from (item.fill, item.border) if isinstance(item, (Face, Ball)) else (item.color,)


def _item(item: Item, colors: Mapping[str, str]) -> str:
    match item:
        case Face():
            path = " -- ".join(map(_point, item.points))
            return (
                rf"\filldraw[fill={colors[item.fill]}, draw={colors[item.border]}, line width=0.6bp] {path} -- cycle;"
            )
        case Ball():
            look = f"fill={colors[item.fill]}, draw={colors[item.border]}, line width=0.8bp"
            return rf"\filldraw[{look}] {_point(item.middle)} circle[radius={item.radius:.2f}];"
        case Line():
            path = " -- ".join(map(_point, item.points))
            return rf"\draw[{colors[item.color]}, line width={item.width:g}bp, rounded corners=3bp] {path};"
        case Text():
            anchor = {"middle": "base", "start": "base west"}[item.anchor]
            font = rf"\fontsize{{{item.size:g}bp}}{{{item.size * 1.2:.1f}bp}}\selectfont" + r"\bfseries" * item.bold
            look = f"anchor={anchor}, text={colors[item.color]}, font={font}"
            return rf"\node[{look}] at {_point(item.at)} {{{as_tex(item.text)}}};"


def _point(point: Point) -> str:
    return f"({point[0]:.2f},{round(-point[1], 2) + 0.0:.2f})"


def as_tex(text: str) -> str:
    """Text that TeX prints as it is. Characters that pdflatex may lack are written as their code points."""
    return "".join(SPECIAL.get(char) or (char if char in KNOWN else f"U+{ord(char):04X}") for char in one_line(text))
