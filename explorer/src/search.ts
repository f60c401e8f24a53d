// Finds operations by path, layer or arguments.

import { byId, h } from "./html";
import type { Network, Place } from "./network";
import { details } from "./words";

const SHOWN = 100;

export class Search {
  private readonly input = byId<HTMLInputElement>("search");
  private readonly list = byId("found");
  private readonly texts: { place: Place; text: string }[] = [];
  private found: Place[] = [];
  private at = -1;

  constructor(
    private readonly networks: Network[],
    private readonly chosen: (place: Place) => void,
    private readonly matched: (places: Set<Place>) => void,
  ) {
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("focus", () => this.search());
    this.input.addEventListener("blur", () => this.list.toggleAttribute("hidden", true));
    this.list.addEventListener("pointerdown", (event) => this.clicked(event));
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  /** The texts to search, made when the first search begins. */
  private get all(): { place: Place; text: string }[] {
    if (!this.texts.length) {
      for (const network of this.networks) {
        for (const place of network.root.everything()) {
          if (!place.parent || place.node.group) continue;
          this.texts.push({ place, text: `${place.path} ${place.node.title} ${details(place.node)}`.toLowerCase() });
        }
      }
    }
    return this.texts;
  }

  private search(): void {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.found = words.length
      ? this.all.filter(({ text }) => words.every((word) => text.includes(word))).map(({ place }) => place)
      : [];
    this.at = this.found.length ? 0 : -1;
    const more =
      this.found.length > SHOWN
        ? `${SHOWN} of ${this.found.length} are listed`
        : this.found.length
          ? ""
          : "nothing found";
    this.list.replaceChildren(
      ...this.found.slice(0, SHOWN).map((place, index) => this.option(place, index)),
      ...(more ? [h("li", { class: "note", role: "presentation" }, more)] : []),
    );
    this.list.toggleAttribute("hidden", !words.length);
    this.input.setAttribute("aria-expanded", String(words.length > 0));
    this.mark();
    this.matched(new Set(this.found));
  }

  private option(place: Place, index: number): HTMLElement {
    return h(
      "li",
      { role: "option", id: `found-${index}`, "data-index": index },
      h("span", { class: "found-path" }, place.path),
      h("span", { class: "found-layer" }, `${place.node.title} ${details(place.node)}`),
    );
  }

  private mark(): void {
    for (const [index, option] of [...this.list.children].entries()) {
      option.setAttribute("aria-selected", String(index === this.at));
      if (index === this.at) option.scrollIntoView({ block: "nearest" });
    }
    if (this.at < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `found-${this.at}`);
  }

  private key(event: KeyboardEvent): void {
    const last = Math.min(this.found.length, SHOWN) - 1;
    if (event.key === "ArrowDown") this.at = Math.min(last, this.at + 1);
    else if (event.key === "ArrowUp") this.at = Math.max(Math.min(0, last), this.at - 1);
    else if (event.key === "Enter" && this.found[this.at]) return this.choose(this.found[this.at]);
    else if (event.key === "Escape") return this.clear();
    else return;
    event.preventDefault();
    this.mark();
  }

  private clicked(event: Event): void {
    const option = (event.target as Element).closest<HTMLElement>("[data-index]");
    event.preventDefault();
    if (option) this.choose(this.found[Number(option.dataset.index)]);
  }

  private choose(place: Place): void {
    this.chosen(place);
    this.list.toggleAttribute("hidden", true);
  }

  private clear(): void {
    this.input.value = "";
    this.search();
    this.input.blur();
  }
}
