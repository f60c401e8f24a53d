"""The base of data classes: what the compiler makes is frozen data with typed fields."""

from __future__ import annotations

from msgspec import Struct


class Record(Struct, frozen=True):
    """Frozen data with typed fields.

    It is a ``msgspec.Struct``: a frozen dataclass takes ten times as long to make, and its class fifty times as long
    to import. Its ``repr`` counts the records in a list, since a network has thousands.
    """

    def __init_subclass__(cls) -> None:
        if "__eq__" in vars(cls):
            cls.__ne__ = object.__ne__  # type: ignore[method-assign]  # a Struct's does not ask `__eq__`

    def __repr__(self) -> str:
        fields = (f"{name}={_brief(getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(fields)})"


def _brief(value: object) -> str:
    nested = isinstance(value, (tuple, list)) and any(isinstance(item, (Record, tuple, list)) for item in value)
    return f"<{len(value)} items>" if nested else repr(value)  # type: ignore[arg-type]
