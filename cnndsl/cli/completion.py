"""Shell completion of specs, runs and names. It loads no torch and prints no errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TypeAlias

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from cnndsl.limits import LIMITS
from cnndsl.zoo import PREFIX, family, source, specs

Items: TypeAlias = list[CompletionItem]
Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], Items]

#: Completed by the shell itself.
_FILE = CompletionItem("", type="file")


def _quietly(complete: Complete) -> Complete:
    """Completes nothing after an error, such as a spec that cannot be read."""

    @wraps(complete)
    def tried(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
        try:
            return complete(context, parameter, begun)
        except Exception:
            return []

    return tried


def one_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Completes names, in any case."""

    @_quietly
    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
        return [CompletionItem(name) for name in names() if name.lower().startswith(begun.lower())]

    return complete


def several_of(names: Callable[[], Iterable[str]]) -> Complete:
    """Completes the last of several names with commas between them, none twice."""

    @_quietly
    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
        *before, last = begun.split(",")
        found = (name for name in names() if name.startswith(last.lower()) and name not in before)
        return [CompletionItem(",".join((*before, name))) for name in found]

    return complete


@_quietly
def complete_spec(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """``zoo:NAME`` after its first letter, and files."""
    zoo = [CompletionItem(f"{PREFIX}{name}") for name in specs() if begun and f"{PREFIX}{name}".startswith(begun)]
    return zoo if begun.startswith(PREFIX) else [*zoo, _FILE]


@_quietly
def complete_weights(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The names that most of torchvision's models have. Only torchvision knows which do, and loading it takes
    seconds."""
    known = [f"torchvision:{name}" for name in ("DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2")]
    return [*(CompletionItem(name) for name in known if begun and name.startswith(begun)), _FILE]


@_quietly
def complete_target(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The networks of torchvision and timm that are in the zoo too, and files. Only the packages know all of theirs,
    and loading them takes seconds."""
    known = (f"{source(name)}:{path.stem}" for name, path in specs().items() if source(name) in ("torchvision", "timm"))
    return [*(CompletionItem(name) for name in known if begun and name.startswith(begun)), _FILE]


@_quietly
def complete_run(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The runs in the folder of runs, the newest first, and files: a checkpoint is a run too."""
    from cnndsl.training.run_folder import list_runs

    paths = [str(run.path) for run in reversed(list_runs(_runs(context)))]
    return [*(CompletionItem(path) for path in paths if path.startswith(begun)), _FILE]


@_quietly
def complete_named_run(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The names of networks that have runs, or else the run that is begun."""
    from cnndsl.training.run_folder import list_runs

    names = dict.fromkeys(run.path.parent.name for run in list_runs(_runs(context)))
    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or (complete_run(context, parameter, begun) if begun else [])


@_quietly
def complete_layer(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The layers and modules of a run's network, but not of a checkpoint's, which only torch can read."""
    from cnndsl.network import load
    from cnndsl.training.run_folder import SPEC

    run = Path(context.params.get("run") or context.args[0])  # as in `complete_parameter`
    paths = dict.fromkeys(row.path for row in load(run / SPEC).shapes().rows)
    return [CompletionItem(path) for path in paths if path.startswith(begun)]


def _runs(context: click.Context) -> Path:
    return Path(context.params.get("runs") or "runs")


def _parameters_of(place: int) -> Complete:
    """Completes ``name=`` with the parameters of the spec given before, which is at a place if there are several."""

    @_quietly
    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
        from cnndsl.spec.document import read_document

        # Click does not parse the words before a `-p` without a value.
        spec = context.params.get("spec") or (context.params.get("specs") or context.args)[place]
        document = read_document(spec).document
        names = [known.name for known in document.params] if document else []
        return [CompletionItem(f"{name}=") for name in names if name.startswith(begun)]

    return complete


complete_parameter, complete_right_parameter = _parameters_of(0), _parameters_of(-1)


@_quietly
def complete_path(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The paths of the spec given before, one level of modules after the other."""
    from cnndsl.network import load

    level = begun.count(".")
    paths = [operation.path.split(".") for operation in load(context.params["spec"]).graph.root.everything]
    shown = dict.fromkeys(".".join(parts[: level + 1]) for parts in paths if len(parts) > level)
    return [CompletionItem(path) for path in shown if path.startswith(begun)]


@_quietly
def complete_limit(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """``name=`` after the last comma."""
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}=") for name in LIMITS.as_dict() if name.startswith(last)]


def families() -> Iterable[str]:
    return dict.fromkeys(map(family, specs()))


# --- bash ------------------------------------------------------------------------------------------------


class Bash(BashComplete):
    """Click's class for bash, which ends words at ``:`` and ``=``, and completes only what follows them. There is no
    space after the beginning of a path or a parameter."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' type value completion
    COMPREPLY=()
    for completion in $(env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            *) COMPREPLY+=("$value") ;;
        esac
    done
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        if "COMP_LINE" not in os.environ:  # an older script, which is click's
            return super().get_completion_args()
        line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode(errors="ignore")
        words = split_arg_string(line)
        begun = "" if line[-1:].isspace() or not words else words.pop()
        return words[1:], begun

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        begun = incomplete.partition("=")[2] if incomplete.startswith("-") else incomplete
        if any(item.type == "plain" for item in found):  # bash adds no files to words
            found = [same for item in found for same in (_paths(begun) if item.type == "file" else [item])]
        return [_without(item, begun[: len(begun) - len(_after_break(begun))]) for item in found]


def _after_break(begun: str) -> str:
    """The part of the word that bash completes."""
    breaks = [character for character in ":=" if character in os.environ.get("COMP_WORDBREAKS", "")]
    for character in breaks:
        begun = begun.rpartition(character)[2]
    return begun


def _without(item: CompletionItem, start: str) -> CompletionItem:
    return CompletionItem(item.value.removeprefix(start), item.type, item.help) if item.type == "plain" else item


def _paths(begun: str) -> Items:
    folder, name = os.path.split(begun)
    found = [path for path in Path(folder or ".").glob("*") if path.name.startswith(name or ("", "."))]
    start = begun.removesuffix(name)
    return [CompletionItem(f"{start}{path.name}{'/' * path.is_dir()}") for path in sorted(found)]


def install() -> None:
    """Uses :class:`Bash` for bash."""
    add_completion_class(Bash)
