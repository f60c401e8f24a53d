"""The pages that teach: their files are as they show them, and their commands print what they say.

``pytest tests/test_pages.py --update`` writes what they print into the pages, ``-m slow`` also what trainings print.
``tests/pages.py`` says how a page is read.
"""

from __future__ import annotations

from pathlib import Path

import pages
import pytest

NAMES = "index start import figures tables explorer questions plugins compiler reviews"
PAGES = [
    *(pages.DOCS / f"{name}.md" for name in NAMES.split()),
    *sorted(pages.DOCS.glob("coming-from/*.md")),
    *sorted(pages.DOCS.glob("course/*.md")),
]


def name(page: Path) -> str:
    return str(page.relative_to(pages.DOCS))


@pytest.mark.parametrize("page", PAGES, ids=name)
@pytest.mark.usefixtures("own_folder")
def test_a_page_is_what_happens(page: Path, update: bool) -> None:
    pages.check(page, update)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if pages.trains(page)], ids=name)
@pytest.mark.usefixtures("own_folder")
def test_a_page_is_what_happens_with_its_trainings(page: Path, update: bool) -> None:
    pages.check(page, update, slow=True)
