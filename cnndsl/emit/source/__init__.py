"""A graph as one Python file: a class for each block, as a person would write it.

The file is derived from the network, not from the text of the spec. All uses of a definition are laid side by side
(``align``); their values become formulas over the parameters of one class (``bind``), its children the statements of
``__init__`` (``constructor``), its data flow those of ``forward`` (``schedule``); ``torch`` writes the program.
"""

from cnndsl.emit.source.torch.file import Emitted, emit, source

__all__ = ["Emitted", "emit", "source"]
