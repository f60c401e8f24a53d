"""Removes what wrappers add to the names of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

#: Segments that torch's wrappers add to names: ``torch.compile``, FSDP, and activation checkpoints.
_WRAPPERS = frozenset(("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
#: Counters of batches, which old checkpoints and frozen normalisations lack, and of averaged models.
_COUNTERS = ("num_batches_tracked", "n_averaged")
#: The most segments that a prefix can have.
_MOST = 16


def is_counter(name: str) -> bool:
    """Whether a tensor is only a counter: it may be missing, and is ignored if the network has none."""
    return name.rpartition(".")[2] in _COUNTERS


def bare(names: Iterable[str], wanted: Sequence[Collection[str]]) -> tuple[dict[str, str], list[str]]:
    """The names of a checkpoint without prefixes and wrappers, each with its original name; and what was removed,
    in words.

    ``wanted`` are the names of a network, in each form that a checkpoint may use. A prefix is removed if all names
    share it, or if the names that have it are complete; and only if more names match then.
    """
    names = [*names]
    found = {".".join(part for part in name.split(".") if part not in _WRAPPERS): name for name in names}
    if len(found) < len(names):  # two names would become one
        found = {name: name for name in names}
    wrappers = {part for new, old in found.items() if new != old for part in old.split(".")} & _WRAPPERS
    notes = [f"without `{part}` in their names" for part in sorted(wrappers)]
    if prefix := _prefix(found, wanted):
        notes.append(f"without the prefix `{prefix}`")
        inside = {new.removeprefix(prefix): old for new, old in found.items() if new.startswith(prefix)}
        found = {new: old for new, old in found.items() if not new.startswith(prefix)} | inside
    return found, notes


def _prefix(names: Collection[str], wanted: Sequence[Collection[str]]) -> str:
    known = {name for way in wanted for name in way}
    counts: Counter[str] = Counter({"": 0})
    for name in names:
        start = 0
        for _ in range(_MOST):
            if name[start:] in known:
                counts[name[:start]] += 1
            start = name.find(".", start) + 1
            if not start:
                break
    weighty = [name for name in names if not is_counter(name)]

    def is_meant(prefix: str) -> bool:
        is_shared = all(name.startswith(prefix) for name in weighty)
        return is_shared or any(all(is_counter(name) or f"{prefix}{name}" in names for name in way) for way in wanted)

    candidates = [prefix for prefix in counts if not prefix or is_meant(prefix)]
    return max(candidates, key=lambda prefix: (counts[prefix], -len(prefix)))
