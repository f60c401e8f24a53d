"""Every kind of error, at its place and in its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from error_cases import FOLDER, actual, diagnose, expected, rewrite

from cnndsl.diagnostics import Code

CASES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_faulty_spec_gives_the_errors_that_it_names(path: Path, update: bool) -> None:
    if update:
        rewrite(path)
    wanted, found = expected(path.read_text()), actual(diagnose(path))
    wanted = [w._replace(column=f.column) if w.column is None else w for w, f in zip(wanted, found)] + wanted[len(found) :]
    assert list(map(str, found)) == list(map(str, wanted))
    assert path.stem.split("-")[0] in {item.code for item in found}
