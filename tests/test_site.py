"""The site: it builds strictly, every link, anchor and picture of its HTML is there, and it needs no network."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

import website

pytest.importorskip("zensical")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: What a reader fetches with a page. Links to other sites are not fetched.
FETCHED = {
    ("link", "href"),
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}


class Html(HTMLParser):
    """The anchors and the addresses of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" or (tag, key) == ("a", "name"):
                self.anchors.add(value or "")
            elif (tag, key) in FETCHED:
                self.fetched.append(value or "")
            elif (tag, key) == ("a", "href"):
                self.links.append(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    website.build(folder)
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    return {path: Html(path) for path in site.rglob("*.html") if path.name != "404.html"}


def missing(pages: dict[Path, Html]) -> Iterator[str]:
    """The internal addresses that lead nowhere."""
    for page, html in pages.items():
        for address in [*html.links, *html.fetched]:
            parts = urlsplit(address)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if parts.scheme or parts.netloc:
                continue
            if not target.is_file():
                yield f"{page.name}: {address}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{page.name}: {address} has no such anchor"


def test_every_link_anchor_and_picture_is_there(pages: dict[Path, Html]) -> None:
    assert len(pages) > 100
    assert sum(len(html.links) for html in pages.values()) > 5_000
    assert [*missing(pages)] == []


def test_a_page_fetches_nothing_from_elsewhere(pages: dict[Path, Html], site: Path) -> None:
    assert [address for html in pages.values() for address in html.fetched if urlsplit(address).netloc] == []
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    named = re.findall(r"""(?:@import|url\()\s*["']?([^"')]*)""", styles)
    assert [name for name in named if not name.startswith("data:")] == []


def test_links_to_other_sites_are_secure(pages: dict[Path, Html]) -> None:
    addresses = {address for html in pages.values() for address in html.links if urlsplit(address).netloc}
    assert addresses and all(address.startswith("https://") for address in addresses), addresses


def named(nav: list[Any]) -> Iterator[str]:
    """The files that a navigation names."""
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for inside in entry.values():
                yield from named(inside if isinstance(inside, list) else [inside])


def test_the_navigation_has_every_page_once() -> None:
    shown = [*named(tomllib.loads(website.CONFIG.read_text())["project"]["nav"])]
    assert sorted(shown) == sorted(
        name for name in website.gathered() if name.endswith(".md") and not name.startswith("files/")
    )


def test_a_link_or_an_anchor_that_leads_nowhere_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, what in (("[there](none.md)", "page"), ("[there](#nowhere)", "anchor")):
        monkeypatch.setattr(website, "gathered", lambda wrong=wrong: {"index.md": f"# Home\n\n{wrong}".encode()})
        with pytest.raises(ValueError, match=rf"^index.md:3:\d+: {what} does not exist$"):
            website.build(tmp_path / "wrong")
    (tmp_path / "page.html").write_text('<p id="a"><a href="#b">b</a> <a href="#a">a</a> <img src="none.png"></p>')
    page = tmp_path / "page.html"
    assert [*missing({page: Html(page)})] == ["page.html: #b has no such anchor", "page.html: none.png"]


@pytest.mark.parametrize(
    "word", ["BatchNorm2d", "CNN033", "shortcut", "OneCycleLR", "ResNet", "torchinfo", "pre-commit"]
)
def test_the_search_knows(site: Path, word: str) -> None:
    items = json.loads((site / "search.json").read_text())["items"]
    assert any(word in item["title"] + item["text"] for item in items)
    assert not any(item["location"].startswith("files/") for item in items)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on this machine."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_reader_without_a_network_finds_a_page(site: Path) -> None:
    from playwright.sync_api import sync_playwright

    with served(site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("combobox", name="Search").fill("residual adds equal")
        page.locator("a[href*='errors.html'][href*='cnn033']").click()
        page.wait_for_url("**/errors.html*")
        assert page.locator("h2", has_text="CNN033").is_visible()
        assert asked and all(url.startswith((address, "data:", "blob:")) for url in asked), asked
        browser.close()
