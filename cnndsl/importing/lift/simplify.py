"""Several nodes that are one: reshapes after each other, functions written out, tensors that merges broadcast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cnndsl.emit.source.expr import Lit, Op
from cnndsl.importing.lift.draft import Draft, DraftBody, connected, replaced
from cnndsl.importing.lift.leaves import written
from cnndsl.importing.lift.regroup import flattened
from cnndsl.importing.lift.step import SINGLE, Unsaid
from cnndsl.importing.recorded import Place, Tensor

#: Merges that broadcast.
BROADCASTING = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
_RESHAPES = ("Flatten", "Unflatten", "Reshape")


def simplified(body: DraftBody, refuse: Callable[[Place | None, Unsaid], None]) -> DraftBody:
    """The body without what is not a step of its own. What is left of no layer is refused."""
    nodes = [*body.nodes]
    for changes in (CHANGES, (_root,)):
        while (changed := _changed(nodes, body, changes)) is not None:
            nodes = changed
    for node in nodes:
        if node.word.startswith("?"):
            why = node.arguments.get("why", "is not an operation of the language")
            refuse(node.place, Unsaid(f"`{node.options['?']}` {why}", node.arguments.get("help", "")))
    return replaced(body, nodes, body.outputs)


class Chains:
    """Which node made a tensor, and how many take it."""

    def __init__(self, nodes: Sequence[Draft], body: DraftBody) -> None:
        self.made = {tensor: node for node in nodes for tensor in node.outputs}
        self.nodes_after: dict[Tensor, list[Draft]] = {}
        for node in nodes:
            for tensor in node.inputs:
                self.nodes_after.setdefault(tensor, []).append(node)
        self.takers = Counter(tensor for node in nodes for tensor in node.inputs) + Counter(body.outputs.values())

    def before(self, node: Draft, *words: str) -> Draft | None:
        """The unnamed node before this one, if it is one of these and nothing else takes what it gives."""
        tensor = node.inputs[0]
        found = self.made.get(tensor)
        single = found is not None and found.word in words and not found.name and self.takers[tensor] == 1
        return found if single else None


def _changed(nodes: list[Draft], body: DraftBody, changes: Sequence[_Rule]) -> list[Draft] | None:
    """The nodes after one change; None if there is nothing to change."""
    chains = Chains(nodes, body)
    for node in nodes:
        for change in changes:
            found = change(node, chains)
            if found is not None:
                replaced, new = found
                gone = {id(one) for one in replaced}
                return [*_with(nodes, gone, node, new)]
    return None


def _with(nodes: list[Draft], gone: set[int], node: Draft, new: Draft | None) -> list[Draft]:
    kept = []
    for one in nodes:
        if one is node and new is not None:
            kept.append(new)
        elif id(one) not in gone:
            kept.append(one)
    return kept


#: The nodes that a change takes away, and the one that comes in place of the node it looked at.
Change = tuple[Sequence[Draft], Draft | None]
_Rule: TypeAlias = Callable[[Draft, Chains], Change | None]


def _unread(node: Draft, chains: Chains) -> Change | None:
    """Nothing takes it, or only its size is asked for."""
    return ((node,), None) if node.word.startswith("?") and not chains.takers[node.outputs[0]] else None


def _shuffle(node: Draft, chains: Chains) -> Change | None:
    """``x.view(b, g, c // g, h, w).transpose(1, 2).reshape(b, c, h, w)``."""
    if node.word != "Flatten" or (order := chains.before(node, "Permute")) is None:
        return None
    if (parts := chains.before(order, "Unflatten")) is None:
        return None
    x, apart = parts.inputs[0].shape, parts.outputs[0].shape
    swapped = (0, 2, 1, *range(3, len(apart)))
    if order.arguments["dims"] != swapped or node.outputs[0].shape != x or len(apart) != len(x) + 1 or len(x) < 3:
        return None
    said = {"groups": apart[1]}
    return (parts, order), connected(node, {}, word="ChannelShuffle", arguments=said, inputs=parts.inputs)


def _one_reshape(node: Draft, chains: Chains) -> Change | None:
    """Two reshapes after each other that are one ``Flatten``, or nothing."""
    if node.word not in _RESHAPES or node.name or (first := chains.before(node, *_RESHAPES)) is None:
        return None
    x, out = first.inputs[0], node.outputs[0]
    joined = flattened(x.shape, out.shape)
    if joined is not None:
        start, count = joined
        end = start + count - 1
        said = {} if start == 1 else {"start_dim": start}
        said |= {} if end == len(x.shape) - 1 else {"end_dim": end}
        return (first,), connected(node, {}, word="Flatten", arguments=said, inputs=(x,))
    return _unflattened(node, first, x, out)


def _unflattened(node: Draft, first: Draft, x: Tensor, out: Tensor) -> Change | None:
    ones = len(out.shape) - len(x.shape)
    if ones > 0 and out.shape == (*x.shape, *[1] * ones):
        said: dict[str, Any] = {"dim": len(x.shape) - 1, "unflattened_size": (-1, *[1] * ones)}
        return (first,), connected(node, {}, word="Unflatten", arguments=said, inputs=(x,))
    return None


def _layer_norm(node: Draft, chains: Chains) -> Change | None:
    """Channels last, ``LayerNorm``, and channels first again."""
    if node.word != "Permute" or node.name or node.arguments["dims"] != (0, 3, 1, 2):
        return None
    norm = chains.made.get(node.inputs[0])
    if (
        norm is None
        or norm.word != "LayerNorm"
        or chains.takers[node.inputs[0]] != 1
        or "normalized_shape" in norm.arguments
    ):
        return None
    last = chains.before(norm, "Permute")
    if last is None or last.arguments["dims"] != (0, 2, 3, 1):
        return None
    return (last, norm), connected(norm, {}, word="LayerNorm2d", inputs=last.inputs, outputs=node.outputs)


def _back(node: Draft, chains: Chains) -> Change | None:
    """Two permutes that undo each other are what was before them: ``(gamma * x).permute(0, 3, 1, 2)`` after a
    ``Scale``, which puts the channels last again."""
    if node.word != "Permute" or node.name or (first := chains.before(node, "Permute")) is None:
        return None
    made = chains.made.get(first.inputs[0])
    order = [first.arguments["dims"][dim] for dim in node.arguments["dims"]]
    if made is None or len(made.outputs) > 1 or chains.takers[first.inputs[0]] > 1 or order != sorted(order):
        return None
    return (first, made), connected(made, {}, outputs=node.outputs)


def _part_of_moved(node: Draft, chains: Chains) -> Change | None:
    """A part of a dimension that is moved to the end for it, and back: ``Slice`` with a ``step`` does that."""
    if node.word != "Permute" or node.name or (part := chains.before(node, "Slice")) is None:
        return None
    first = chains.before(part, "Permute")
    if first is None:
        return None
    moved, back = first.arguments["dims"], node.arguments["dims"]
    if [moved[dim] for dim in back] != sorted(moved):
        return None
    changed = {**part.arguments, "dim": moved[part.arguments["dim"]]}
    return (first, part), connected(part, {}, arguments=changed, inputs=first.inputs, outputs=node.outputs)


def _broadcast(node: Draft, chains: Chains) -> Change | None:
    """A merge takes a tensor that was expanded for it as it was before."""
    if node.word not in BROADCASTING:
        return None
    for tensor in node.inputs:
        made = chains.made.get(tensor)
        if made is not None and made.word == "?expand":
            before = made.inputs[0]
            others = [other.shape for other in node.inputs if other is not tensor]
            if tensor.shape in others:
                gone = (made,) if chains.takers[tensor] == 1 else ()
                return gone, connected(node, {tensor: before}, outputs=node.outputs)
    return None


def _divided(node: Draft, chains: Chains) -> Change | None:
    """A division by a number that is no part of anything."""
    if node.word != "?divide" or _hard_sigmoid(node, chains) is not None:
        return None
    inverse = Op("/", (Lit(1), Lit(node.arguments["other"])))
    return (), connected(node, {}, word="Multiply", arguments={"other": inverse}, options={})


def _root(node: Draft, chains: Chains) -> Change | None:
    """A square root that is no part of a normalization."""
    if node.word != "?sqrt":
        return None
    return (), connected(node, {}, word="Pow", arguments={"exponent": 0.5}, options={})


def _affine(node: Draft, chains: Chains) -> Change | None:
    """``weight * x + bias`` for each channel, or with one of both for all."""
    if node.word != "?shift" or (scale := chains.before(node, "Scale")) is None:
        return None
    dim = SINGLE if "num_channels" in scale.arguments else 1
    if node.arguments["dim"] != dim:
        return None
    said = {"num_features": 1} if dim == SINGLE else {}
    state = {**scale.state, "bias": node.arguments["bias"]}
    return (scale,), connected(node, {}, word="Affine", arguments=said, inputs=scale.inputs, state=state, options={})


def _channels_first(node: Draft, chains: Chains) -> Change | None:
    """``LayerNorm2d`` written out: ``u = x.mean(1)``, ``s = (x - u).pow(2).mean(1)``, ``(x - u) / sqrt(s + eps)``, and
    a weight and a bias for each channel."""
    if node.word != "Affine" or node.arguments or (ratio := chains.before(node, "divide")) is None:
        return None
    centred, root = (chains.made.get(tensor) for tensor in ratio.inputs)
    if centred is None or root is None or root.word != "?sqrt":
        return None
    if (eps := chains.before(root, "Add")) is None or (variance := chains.before(eps, "Mean")) is None:
        return None
    if (square := chains.before(variance, "multiply")) is None or (mean := chains.made.get(centred.inputs[-1])) is None:
        return None
    over = {"dim": 1, "keepdim": True}
    is_mean = mean.word == "Mean" and mean.arguments == variance.arguments == over
    again = chains.made.get(square.inputs[0])
    if not is_mean or square.inputs[0] is not square.inputs[1] or again is None:
        return None
    wanted = (mean.inputs[0], mean.outputs[0])
    if len(node.outputs[0].shape) != 4 or {centred.word, again.word} != {"subtract"}:
        return None
    if centred.inputs != wanted or again.inputs != wanted or not isinstance(eps.arguments["other"], float):
        return None
    said = written("LayerNorm2d", {"eps": eps.arguments["other"]})
    gone = (ratio, centred, root, eps, variance, square, mean, again)
    return gone, connected(node, {}, word="LayerNorm2d", arguments=said, inputs=mean.inputs)


def _hard_sigmoid(node: Draft, chains: Chains) -> Change | None:
    """``relu6(x + 3) / 6``."""
    if node.word != "?divide" or node.arguments["other"] != 6 or (bent := chains.before(node, "ReLU6")) is None:
        return None
    moved = chains.before(bent, "Add")
    if moved is None or moved.arguments != {"other": 3}:
        return None
    return (moved, bent), connected(node, {}, word="Hardsigmoid", arguments={}, inputs=moved.inputs, options={})


def _expanded(node: Draft, chains: Chains) -> Change | None:
    """One pixel in the size of another image, which no merge broadcasts."""
    takers = chains.nodes_after.get(node.outputs[0], ())
    if node.word != "?expand" or len(node.inputs) != 2 or any(taker.word in BROADCASTING for taker in takers):
        return None
    return (), connected(node, {}, word="Upsample", arguments={}, options={})


CHANGES: Sequence[_Rule] = (
    _unread, _shuffle, _one_reshape, _layer_norm, _back, _part_of_moved, _broadcast, _hard_sigmoid, _divided, _affine,
    _channels_first, _expanded,
)  # fmt: skip
