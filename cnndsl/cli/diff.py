"""``cnndsl diff``: what differs between two networks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from cnndsl.cli.common import PATH, USAGE, FilePath, fail, format_option, limits_option, spec_options, tell
from cnndsl.cli.completion import complete_right_parameter, complete_spec, complete_weights
from cnndsl.cli.pictures import check_files, force_option, write
from cnndsl.diagnostics import RunError, SpecError
from cnndsl.limits import Limits
from cnndsl.record import Record
from cnndsl.terminal import medium, paint, show, show_painted
from cnndsl.zoo import is_of_zoo

if TYPE_CHECKING:
    from cnndsl.compare.compare import Diff
    from cnndsl.graph.graph import Graph
    from cnndsl.network import Compilation
    from cnndsl.spec.document import Spec

EQUAL, DIFFERENT = 0, 1
PAGE = ".html"
PICTURE = FilePath(".svg", ".png", ".pdf", ".dot", PAGE)
#: What the options for each side are called.
OPTIONS = ("-p", "--set"), ("-P", "--right-set")
#: Parameters and settings for a side.
_Options: TypeAlias = tuple[Sequence[str], Sequence[str]]
#: Where a command line is kept that has a ``--``: what comes after it.
_PATHS = "cnndsl.diff.paths"


class Side(Record, frozen=True):
    """A spec with what is given for it. ``label`` is its file, perhaps with a revision."""

    spec: Spec
    params: Sequence[str]
    settings: Sequence[str]
    label: str


class _Revisions(click.Command):
    """Tells revisions from the path by the ``--`` between them, as git does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_PATHS] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=_Revisions)
@click.argument(
    "specs", nargs=-1, type=PATH, metavar="A [B] | [REVISION [REVISION]] -- SPEC", shell_complete=complete_spec
)
@format_option("text", "json", "markdown", help="text for people, json for programs, markdown for pull requests.")
@click.option(
    "-P",
    "--right-param",
    "right_params",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_right_parameter,
    help="Set a parameter of the right spec; repeatable. -p sets one of the left.",
)
@click.option(
    "--right-set",
    "right_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any key of the right spec; repeatable. --set sets one of the left.",
)
@click.option(
    "--weights",
    metavar="FILE",
    shell_complete=complete_weights,
    help="Weights of the left network: list which of them fit the right one.",
)
@click.option(
    "-o",
    "--output",
    type=PICTURE,
    help="Draw the right network with what changed in colour, and the left one if something was removed: .svg, .png, "
    ".pdf or .dot; or a page to look around in both, .html.",
)
@force_option
@click.option("--summary", is_flag=True, help="Show the figures of both networks alone, without the list of changes.")
@click.option("--git", is_flag=True, help="For `git diff`, which gives seven arguments: see docs/diff.md.")
@spec_options
@limits_option
@click.pass_context
def diff(
    context: click.Context,
    specs: Sequence[Path],
    form: str,
    right_params: Sequence[str],
    right_settings: Sequence[str],
    weights: str | None,
    output: Path | None,
    force: bool,
    summary: bool,
    git: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Show what differs between two networks.

    They are those of specs A and B, or of A with other parameters, or of SPEC at a revision of git and in the work
    tree, or at two revisions. Exit code: 0 if they are equal, 1 if they differ, 2 for wrong usage or a spec with
    errors.
    """
    if git:
        from cnndsl.cli.git_diff import show_git

        show_git([str(spec) for spec in specs], limits)
        return
    if summary and form == "json":
        raise click.UsageError("--summary is for text and markdown: in json, `left` and `right` are the figures")
    from msgspec.structs import replace

    from cnndsl.compare.compare import compare, notes, sound
    from cnndsl.compare.fitting import Fitting

    options = (params, settings), (right_params, right_settings)
    try:
        sides = _sides([str(spec) for spec in specs], context.meta.get(_PATHS), options)
        check_files(output, force=force)
        compiled = [_compiled(side, names, limits) for side, names in zip(sides, OPTIONS)]
        left, right = map(sound, compiled)
        found = compare(left, right, _titles(sides, (left, right)), notes(*compiled))
        if weights is not None:
            found = replace(found, weights=Fitting.of(weights, left, right))
    except RunError as error:
        tell([error.diagnostic])
        sys.exit(USAGE)
    _show(found, form, summary)
    if output is not None:
        _draw(found, left, right, output)
    sys.exit(DIFFERENT if found else EQUAL)


# --- what is compared ------------------------------------------------------------------------------------


def _sides(specs: Sequence[str], paths: Sequence[str] | None, options: Sequence[_Options]) -> tuple[Side, Side]:
    """The two sides of a command line. ``paths`` come after its ``--``, None if it has none."""
    if paths is not None and (specs or len(paths) != 2):
        return _at_revisions(specs, paths, options)
    specs = [*specs, *(paths or ())]
    for picture in (spec for spec in specs if spec.endswith(PICTURE.endings)):
        raise click.UsageError(f"{picture} is not a spec: `-o {picture}` draws what differs")
    if len(specs) not in (1, 2):
        raise click.UsageError(f"expected two specs, or one with -p or -P, got {len(specs)}")
    if len(specs) == 1 and not any(map(any, options)):
        raise click.UsageError(f"{specs[0]} is compared with nothing: name another spec, or give -P NAME=VALUE")
    _refuse_revision(specs)
    before, after = [*specs, *specs][:2]
    return Side(before, *options[0], before), Side(after, *options[1], after)


def _at_revisions(names: Sequence[str], paths: Sequence[str], options: Sequence[_Options]) -> tuple[Side, Side]:
    """The sides of ``REVISION [REVISION] -- SPEC``."""
    from cnndsl.compare.revision import Repository, revisions
    from cnndsl.spec.document import Kept

    if len(paths) != 1:
        raise click.UsageError(f"expected one spec after the `--`, got {len(paths)}")
    if is_of_zoo(paths[0]):
        raise click.UsageError(f"{paths[0]} has no revisions: it comes with cnndsl")
    try:
        named = revisions(names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    path = Path(paths[0])
    repository = Repository(path.parent)
    sides = []
    for name, each in zip(named, options):
        spec: Spec = path if name is None else Kept(path, repository.revision(name))
        sides.append(Side(spec, *each, paths[0] if name is None else f"{name}:{paths[0]}"))
    return sides[0], sides[1]


def _refuse_revision(specs: Sequence[str]) -> None:
    """Ends the program if the first of two files is not there and the second is: it is probably a revision."""
    is_file = Path(specs[0]).exists() or specs[0].endswith((".yaml", ".yml")) or is_of_zoo(specs[0])
    if len(specs) == 2 and not is_file and Path(specs[1]).is_file():
        help = f"for a revision of git, `cnndsl diff {specs[0]} -- {specs[1]}`"
        fail(f"{specs[0]} does not exist", help)


def _compiled(side: Side, options: tuple[str, str], limits: Limits) -> Compilation:
    """The network of a side, whose ``options`` have these names. Ends the program if it has errors."""
    from cnndsl.network import compile_spec

    try:
        compilation = compile_spec(side.spec, given=side.params, settings=side.settings, limits=limits, options=options)
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(USAGE)
    if compilation.sound is None:
        tell(compilation.errors)
        sys.exit(USAGE)
    return compilation


def _titles(sides: Sequence[Side], graphs: Sequence[Graph]) -> list[str]:
    """What the sides are called: by their networks, their files, or what is given for them, whatever tells them
    apart."""
    names = [graph.document.name for graph in graphs]
    labels = [side.label for side in sides]
    given = [", ".join((name, *side.params, *side.settings)) for name, side in zip(names, sides)]
    return next((titles for titles in (names, labels) if titles[0] != titles[1]), given)


# --- how it is shown -------------------------------------------------------------------------------------


def _show(found: Diff, form: str, summary: bool) -> None:
    from cnndsl.compare.text import as_json, as_markdown, as_text

    if form == "text":
        show_painted(as_text(found, medium(), paint(), summary))
    else:
        show(as_json(found) if form == "json" else as_markdown(found, summary))


def _draw(found: Diff, left: Graph, right: Graph, path: Path) -> None:
    """Writes the figure or the page. Ends the program if that fails."""
    if path.suffix == PAGE:
        from cnndsl.explorer import pair

        write(path, pair(left, right, found).html.encode(), to_stderr=True)
        return
    from cnndsl.compare.figure import figure
    from cnndsl.emit.diagram import NoFonts, TooLarge

    try:
        write(path, figure(found, left, right).pipe(path.suffix.removeprefix(".")), to_stderr=True)
    except (NoFonts, TooLarge) as error:
        fail(str(error))
