"""What is told of the word at a place: what it means, and what it is worth there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Hover
from cnndsl.editing.context import Context, context
from cnndsl.editing.grammar import Arguments, Place, Step, place_of
from cnndsl.editing.hints import lenses, tooltip
from cnndsl.editing.known import Definition, Known, parameter_text
from cnndsl.editing.offers import Offer
from cnndsl.editing.pages import function_usage, option_page, word_page
from cnndsl.editing.paths import described
from cnndsl.editing.uses import Use, place
from cnndsl.editing.worth import results, values_text
from cnndsl.graph.graph import Apply, Inline, Module
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.tree import Mapping
from cnndsl.spec.words import OPTIONS, WORDS, is_word


def hover(analysis: Analysis, offset: int) -> Hover | None:
    """What is told of the word at an offset, None if there is nothing to tell."""
    at = context(analysis, offset)
    if at is None or not at.path:  # the whole text is one word
        return None
    told = _Told(Known(analysis, at), at)
    text = "\n\n".join(filter(None, told.parts()))
    return Hover(at.word if at.word.text else at.marked, text) if text else None


class _Told(Record, frozen=True, eq=False, dict=True):
    """What there is to tell at a context."""

    known: Known
    at: Context

    @property
    def word(self) -> str:
        return self.at.word.text

    def parts(self) -> Iterable[str]:
        at = self.at
        if at.expression is not None:
            return self._expression()
        if not self.word:
            return ()
        if at.is_signature:
            return self._signature()
        if self.word.startswith("$"):
            return self._variable(self.word[1:])
        return self._key() if at.is_key else self._value()

    # --- values ----------------------------------------------------------------------------------

    def _expression(self) -> Iterator[str]:
        """A name or a function in an expression, and the expression."""
        if self.word in FUNCTIONS:
            yield function_usage(self.word)
        elif self.word:
            yield from self._variable(self.word)
        whole = self.at.marked.text
        if whole.startswith("$(") and whole.endswith(")"):
            yield self._worth(whole[2:-1], whole)

    def _variable(self, name: str) -> Iterator[str]:
        """A parameter, the name of a loop or of a ``let``, or a size of the input."""
        variable = self.known.variables.get(name)
        if variable is not None:
            yield f"`{name}`: {variable.detail}"
        elif name in self.known.blocks:
            yield self.known.blocks[name].signature
        worth = self._worth(name, name)
        yield worth or ("" if self.at.path[0] == "blocks" else self._parameters([name]))

    def _worth(self, text: str, shown: str) -> str:
        values = results(self.known.analysis, self.uses, text, self.known.blocks)
        return f"`{shown}` {values_text(values)}" if values else ""

    def _parameters(self, names: Iterable[str]) -> str:
        """The document's own parameters with their values."""
        root = self.known.analysis.alive.partial
        found = [(name, root.params[name]) for name in names if root is not None and name in root.params]
        return "\n\n".join(f"`{name}` {values_text([value])}" for name, value in found)

    # --- steps -----------------------------------------------------------------------------------

    @cached_property
    def uses(self) -> Sequence[Use]:
        """The runs of the innermost step around that has run."""
        for span in self._steps():
            if found := self.known.analysis.uses.get(place(span)):
                return found
        return ()

    def _steps(self) -> Iterator[Span]:
        """The words of the steps around, the innermost first."""
        if not self.at.is_key and isinstance(self.at.path[-1], int):
            yield self.at.scalar
        for node in reversed(self.at.around):
            if isinstance(node, Mapping):
                own = {self.word: self.at.word} if node is self.at.siblings else {}
                spans = {**{name: key.span for name, key in node.keys.items()}, **own}
                yield from (span for name, span in spans.items() if is_word(name))

    def _signature(self) -> Iterator[str]:
        """The name of a block, or a parameter of it."""
        block = self.known.defined_by(self.at.before or self.word)
        if block is None or self.word == block.name:
            yield from self._block(block) if block else ()
            return
        yield from (f"`{one.name}`: {parameter_text(one)}" for one in block.parameters if one.name == self.word)
        yield self._given(block.name, self.word)

    def _block(self, block: Definition) -> Iterator[str]:
        """A block: its signature, and what it costs."""
        yield f"```python\n{block.signature}\n```"
        document = self.known.analysis.alive.document
        span = document.blocks[block.name].span if document and block.name in document.blocks else None
        yield from (lens.text for lens in lenses(self.known.analysis) if lens.span == span)

    def _given(self, block: str, parameter: str) -> str:
        """What a parameter of a block is worth in its uses."""
        items = [use.item for uses in self.known.analysis.uses.values() for use in uses]
        calls = [item for item in items if isinstance(item, (Module, Inline)) and item.definition.name == block]
        values = [item.params[parameter] for item in calls if parameter in item.params]
        return f"`{parameter}` {values_text(values)}" if values else ""

    # --- keys and values -------------------------------------------------------------------------

    def _key(self) -> Iterator[str]:
        above = place_of(self.known, self.at.path[:-1])
        if isinstance(above, Step):
            yield from self._step(above)
            return
        yield from _told(above.keys({}), self.word)
        if isinstance(above, Arguments):
            yield self._argument()
        if self.at.path[:1] == ("params",) and len(self.at.path) == 2:
            yield from self._variable(self.word)
        if len(self.at.path) == 1:
            yield from (lens.text for lens in lenses(self.known.analysis) if lens.span.text == self.word)

    def _step(self, above: Place) -> Iterator[str]:
        """The word of a step, or an option of it."""
        if self.word in OPTIONS:
            yield option_page(self.word)
            return
        here = tooltip(self.uses) if self.uses else ""
        if self.word in self.known.blocks:
            yield from (here, *self._block(self.known.blocks[self.word]))
        elif self.word in WORDS:
            yield from (word_page(self.word), here)
        else:
            yield from (here, *_told(above.values(), self.word))

    def _argument(self) -> str:
        """What an argument is here, also one that is inferred or has its default."""
        values: list[Any] = []
        for item in (use.item for use in self.uses):
            given = item.layer.values if isinstance(item, Apply) else getattr(item, "params", {})
            values += [given[self.word]] if self.word in given else []
        return f"`{self.word}` {values_text(values)}" if values else ""

    def _value(self) -> Iterator[str]:
        here = place_of(self.known, self.at.path)
        if isinstance(here, Step):
            yield from self._step(here)
        elif here.refers == "file":
            yield described(self.known.analysis, self.at.scalar.text)
        elif here.refers:
            name = self.at.scalar.text
            names = self.known.names(anywhere=here.refers == "output")
            yield from (f"`{name}`: {one.detail}" for one in names if one.name == name)
        else:
            yield from _told(here.values(), self.word)


def _told(offers: Iterable[Offer], word: str) -> Iterator[str]:
    """The documentation of a word among those that fit."""
    for offer in offers:
        if offer.label == word:
            yield offer.page() if offer.page else f"`{word}`: {offer.detail}" if offer.detail else ""
            return
