"""The documentation is correct."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import cnndsl
from cnndsl.cli.train import train
from cnndsl.emit.diagram.fonts import width
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.emit.reference import layer_reference
from cnndsl.emit.table import Table, as_plain
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.recipe_keys import KEYS, Key
from cnndsl.spec.schema import schema
from cnndsl.spec.words import OPTIONS, WORDS
from cnndsl.training import run_folder
from cnndsl.training.progress import Epoch
from cnndsl.zoo import specs

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

import gallery
import pipeline

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TRAINING = (ROOT / "docs" / "training.md").read_text()
QUESTIONS = (ROOT / "docs" / "questions.md").read_text()
LANGUAGE = (ROOT / "docs" / "language.md").read_text()


#: The files of a run.
FILES = (
    *(run_folder.SPEC, run_folder.INFO, run_folder.METRICS, run_folder.LOCK),
    *(run_folder.LAST, run_folder.BEFORE, run_folder.BEST, run_folder.DAMAGED),
)


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of a language in a page."""
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's network, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("small.yaml")
    path.write_text(blocks(README, "yaml")[0])
    return path


def test_the_readmes_network_has_the_readmes_shapes(small: Path) -> None:
    net = cnndsl.load(small)
    shown = blocks(README, "console")[0].split("\n", 1)[1]
    assert as_plain(Table.of(net.graph, 1)).strip() == shown.strip()


def test_the_readmes_network_has_the_readmes_source(small: Path) -> None:
    assert cnndsl.load(small).source().strip() == blocks(README, "python")[0].strip()


def test_the_readmes_fault_is_told_as_the_readme_says(small: Path) -> None:
    text = small.read_text()
    start, shortcut = text.index("      shortcut:"), text.index("    - ReLU\n\nnetwork")
    small.write_text(text[:start] + text[shortcut:])
    faults = [fault.render() for fault in cnndsl.check(small) if fault.is_error]
    shown = blocks(README, "console")[2].split("\n", 1)[1]
    assert "\n\n".join(faults).strip() == shown.strip()


def test_the_readmes_recipe_goes_with_its_network(small: Path) -> None:
    small.write_text(small.read_text() + blocks(README, "yaml")[1])
    assert cnndsl.check(small) == [] and cnndsl.load(small).recipe is not None


#: Sections of the language page about files and numbers, not about what a spec may say.
NO_RULES = {"Layout", "Limits", "What torch accepts and a spec does not"}


def rules(page: str) -> dict[str, str]:
    """The headings of the language page, and the bold words that begin a paragraph, each with its text."""
    _, *parts = re.split(r"^(?:##+ (.*)|\*\*([^*]+)\*\*)", page, flags=re.MULTILINE)
    return {heading or lead: text for heading, lead, text in zip(parts[::3], parts[1::3], parts[2::3])}


def test_every_rule_of_the_language_has_an_example_that_compiles(small: Path) -> None:
    found = rules(LANGUAGE)
    assert len(found) > 25
    for rule, text in found.items():
        whole = [block for block in blocks(text, "yaml") if re.search("^(input|extends):", block, re.MULTILINE)]
        assert whole or rule in NO_RULES or not text.strip(), rule
        for number, spec in enumerate(whole):
            named = re.match(r"# (\S+\.yaml)\n", spec)
            path = small.with_name(named[1] if named else f"example{number}.yaml")
            path.write_text(spec)
            assert [fault.render() for fault in cnndsl.check(path)] == [], rule


def test_the_language_page_knows_every_word() -> None:
    for word in {*schema()["properties"], *WORDS, *OPTIONS}:
        assert f"`{word}" in LANGUAGE or f"{word}:" in LANGUAGE, word
    for function in FUNCTIONS:
        assert re.search(rf"\b{function}\b", LANGUAGE), function


def test_the_layers_page_is_current() -> None:
    assert (ROOT / "docs" / "layers.md").read_text() == layer_reference(), "run `make docs`"


def test_the_recipes_page_is_current() -> None:
    assert (ROOT / "docs" / "recipes.md").read_text() == recipe_reference(), "run `make docs`"


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()) + re.findall(r'src="([^"]+)"', page.read_text())
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_network_of_the_package_is_without_a_fault() -> None:
    for path in sorted((ROOT / "archs").glob("*.yaml")):
        assert cnndsl.check(path) == [], path.name


PAGES = (TRAINING, LANGUAGE, recipe_reference())
RECIPES = [block for page in PAGES for block in blocks(page, "yaml") if block.startswith("train:\n")]


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_the_recipes_of_the_pages_are_recipes(recipe: str) -> None:
    folder = "ImageFolder" in recipe
    net = cnndsl.loads(
        f"input: [{3 if folder else 1}, 96, 96]\nnetwork: [AdaptiveAvgPool2d: 4, Flatten, Linear: 10]\n{recipe}"
    )
    assert net.recipe is not None and net.recipe.epochs >= 10


def test_the_training_page_tells_of_every_key_option_and_verb() -> None:
    for key in KEYS:
        assert f"{key}:" in TRAINING and f"| `{key}` |" in TRAINING, key
    for option in (option for parameter in train.params for option in (*parameter.opts, *parameter.secondary_opts)):
        assert not option.startswith("-") or re.search(rf"`{option}\b", TRAINING), option
    for verb in ("train", "runs", "eval", "predict", "inspect", "export"):
        assert f"$ cnndsl {verb}" in TRAINING and re.search(rf"^\|.*`(cnndsl )?{verb}\b", README, re.MULTILINE), verb


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_the_training_page_has_the_default_of_a_key(key: Key) -> None:
    (default,) = re.findall(rf"^\| `{key.name}` \| *([^|]*?) *\|", TRAINING, re.MULTILINE)
    assert (default.strip("`") or "none") == key.written_default


def test_the_training_page_knows_a_runs_files() -> None:
    for name in (*FILES, "curves.svg"):
        assert f"`{name}`" in TRAINING, name
    assert ", ".join(f.name for f in fields(Epoch) if f.name != "epoch") in TRAINING


def test_the_training_page_links_to_its_own_headings() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", TRAINING, re.MULTILINE)}
    assert headings == set(re.findall(r"\]\(#([^)]+)\)", TRAINING))


def test_the_questions_page_shows_python_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archs").symlink_to(ROOT / "archs")
    (tmp_path / "wrong.yaml").write_text(blocks(QUESTIONS, "yaml")[0])
    exec(blocks(QUESTIONS, "python")[0], {})
    assert (tmp_path / "sweep.pdf").read_bytes().startswith(b"%PDF")


def test_the_gallery_is_current() -> None:
    assert (ROOT / "docs" / "gallery.md").read_text() == gallery.gallery(), "run `make docs`"


def test_the_gallery_has_every_classic_network_and_twenty_of_the_zoo() -> None:
    names = [entry.name for entry in gallery.entries()]
    assert len({*names}) == len(names) and len({entry.picture for entry in gallery.entries()}) == len(names)
    classics = {name for name in specs() if name.startswith("classic/")}
    assert classics - {*names} == {"classic/conv3x3", "classic/conv5x5"}  # which are single layers
    assert len({*names} - classics) >= 20
    page = (ROOT / "docs" / "gallery.md").read_text()
    headings, links = re.findall(r"^### (.*)$", page, re.MULTILINE), re.findall(r"\]\(#([^)]+)\)", page)
    assert links == [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def words(picture: bytes) -> list[str]:
    """The words of an SVG, in alphabetical order: where lines break depends on the fonts of a machine."""
    return sorted(" ".join(re.findall(r">([^<>]+)</text>", picture.decode())).split())


@pytest.mark.parametrize("entry", [*gallery.entries()], ids=lambda entry: entry.picture.stem)
def test_the_pictures_of_the_gallery_are_current(entry: gallery.Entry) -> None:
    stored = entry.picture.read_bytes()
    assert len(stored) < 200_000
    assert words(stored) == words(cnndsl.load(f"zoo:{entry.name}").diagram().svg().encode()), "run `make docs`"


def test_the_picture_of_the_compiler_is_current() -> None:
    assert pipeline.PICTURE.read_text() == pipeline.picture(pipeline.spec()), "run `make docs`"


@pytest.mark.parametrize("box", [*pipeline.boxes(pipeline.spec())], ids=lambda box: box.name)
def test_the_words_of_a_box_fit_into_it(box: pipeline.Box) -> None:
    assert max(width(box.name, 15, bold=True), width(box.detail, 13)) < box.width
