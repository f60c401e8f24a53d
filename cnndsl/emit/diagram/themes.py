"""Colours, by theme: on paper, on a dark screen, and in print without colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from cnndsl.palette import BLUE, INK, LINE, MUTED
from cnndsl.record import Record

Fill: TypeAlias = tuple[str, str]  #: the colour of a box and of its border
#: What a comparison says of a part of a network.
Mark: TypeAlias = Literal["added", "removed", "changed", "moved"]


class Theme(Record, frozen=True):
    """``ink`` and ``muted`` are for text, ``line`` for the flow of data, ``bypass`` for lines past other layers and for
    everything that the eye should find: repetitions, and where a picture gets smaller. ``families`` are the fills of
    layers by family, ``levels`` the backgrounds of modules from the outermost inwards, ``scale`` the colours of the
    least and the most costly box.
    """

    paper: str
    ink: str
    muted: str
    line: str
    bypass: str
    faint: str
    plain: Fill
    other: Fill
    families: Mapping[str, Fill]
    levels: tuple[str, ...]
    frame: str
    scale: tuple[str, str]
    marks: Mapping[str, Fill]


#: Tints of Okabe and Ito's colours, which colour-blind people can tell apart. Other families are grey.
LIGHT = Theme(
    paper="white",
    ink=INK,
    muted=MUTED,
    line=LINE,
    bypass=BLUE,
    faint="#A0A8B1",
    plain=("white", LINE),
    other=("#ECECEC", "#A8A8A8"),
    families={
        "convolution": ("#C3DCF0", "#5B9BC8"),
        "linear": ("#EBCFDF", "#C07FA5"),
        "pooling": ("#FBE3B5", "#D9A441"),
        "normalization": ("#C6E7DA", "#5CB597"),
        "activation": ("#F8F4C2", "#C9BF4A"),
        "upsampling": ("#F6CDB5", "#D98752"),
        "padding": ("#DDF0FA", "#86BEDD"),
    },
    levels=("#F7F8FA", "#EEF1F4", "#E5E9EE", "#DCE1E7"),
    frame="#C4CBD3",
    scale=("#F7FBFF", "#8CC1E3"),
    marks={
        "added": ("#D3F0D9", "#2DA44E"),
        "removed": ("#FFD9D6", "#CF222E"),
        "changed": ("#FFF1C2", "#BF8700"),
        "moved": ("#E3DCFB", "#8250DF"),
    },
)
DARK = Theme(
    paper="#0D1117",
    ink="#E6EDF3",
    muted="#9DA7B3",
    line="#8B949E",
    bypass="#58B4F0",
    faint="#6E7681",
    plain=("#161B22", "#8B949E"),
    other=("#2B3036", "#6E7681"),
    families={
        "convolution": ("#173A56", "#5B9BC8"),
        "linear": ("#4A2A3E", "#C07FA5"),
        "pooling": ("#4D3B14", "#D9A441"),
        "normalization": ("#17443A", "#5CB597"),
        "activation": ("#45420F", "#C9BF4A"),
        "upsampling": ("#53301A", "#D98752"),
        "padding": ("#1D3D4D", "#86BEDD"),
    },
    levels=("#161B22", "#1C222A", "#232A33", "#2A323C"),
    frame="#3D444D",
    scale=("#161B22", "#1F6FA8"),
    marks={
        "added": ("#12361F", "#3FB950"),
        "removed": ("#4A1A1E", "#F85149"),
        "changed": ("#453508", "#D29922"),
        "moved": ("#33235A", "#A371F7"),
    },
)
#: Readable when it is printed in black and white: families differ in the shade of grey, and every text is black.
PRINT = Theme(
    paper="white",
    ink="black",
    muted="#333333",
    line="#333333",
    bypass="black",
    faint="#777777",
    plain=("white", "black"),
    other=("white", "#777777"),
    families={
        "convolution": ("#D9D9D9", "#333333"),
        "linear": ("#C4C4C4", "#333333"),
        "pooling": ("#F0F0F0", "#333333"),
        "normalization": ("white", "#333333"),
        "activation": ("white", "#333333"),
        "upsampling": ("#F0F0F0", "#333333"),
        "padding": ("white", "#333333"),
    },
    levels=("white", "#F7F7F7", "white", "#F7F7F7"),
    frame="#888888",
    scale=("white", "#A6A6A6"),
    marks={
        "added": ("#E8E8E8", "black"),
        "removed": ("white", "#999999"),
        "changed": ("#CFCFCF", "black"),
        "moved": ("#F4F4F4", "black"),
    },
)
THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK, "print": PRINT}
