// Where another spec is chosen: those of the project and those of the zoo, found by words.

import { byId, h } from "../../explorer/src/html";
import { unsaved } from "./kept";
import type { Listing } from "./messages";

/** The most that are listed at once: more words find the others. */
const MOST = 200;

interface Entry {
  spec: string;
  name: string;
  detail: string;
  group: string;
}

export class Chooser {
  private readonly dialog = byId<HTMLDialogElement>("chooser");
  private readonly input: HTMLInputElement;
  private readonly list = h("ul", { id: "found", role: "listbox", "aria-label": "Specs" });
  private entries: Entry[] = [];
  private at = 0;

  constructor(
    private readonly listing: () => Promise<Listing>,
    private readonly chosen: (spec: string) => void,
  ) {
    this.input = h("input", {
      type: "search",
      role: "combobox",
      "aria-label": "Search specs",
      "aria-expanded": "true",
      "aria-controls": "found",
      "aria-autocomplete": "list",
      placeholder: "Search the project and the zoo",
      autocomplete: "off",
      spellcheck: "false",
      input: () => this.find(),
      keydown: (event) => this.pressed(event as KeyboardEvent),
    }) as HTMLInputElement;
    const close = h("button", { type: "button", "aria-label": "Close", click: () => this.dialog.close() }, "\u00d7");
    this.dialog.append(h("div", { class: "search" }, this.input, close), this.list);
    this.list.addEventListener("click", (event) => this.choose((event.target as Element).closest("li")));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  async open(): Promise<void> {
    const { project, zoo } = await this.listing();
    const texts = unsaved().filter((spec) => spec && !project.includes(spec) && !spec.startsWith("zoo:"));
    this.entries = [
      ...[...project, ...texts].map((spec) => ({ spec, name: spec, detail: "", group: "Project" })),
      ...zoo.map(({ name, family, source }) => ({
        spec: `zoo:${name}`,
        name,
        detail: source,
        group: `Zoo: ${family}`,
      })),
    ];
    this.input.value = "";
    this.find();
    if (!this.dialog.open) this.dialog.showModal();
    this.input.focus();
  }

  private find(): void {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = ({ spec, detail, group }: Entry) => {
      const text = `${spec} ${detail} ${group}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    // The names that begin with the first word come first, then those that have it, then what is told of them.
    const rank = ({ name }: Entry) => {
      const text = `/${name.toLowerCase()}`;
      return !words.length || text.includes(`/${words[0]}`) ? 0 : text.includes(words[0]) ? 1 : 2;
    };
    const found = this.entries.filter(fits).sort((one, other) => rank(one) - rank(other));
    const waiting = new Set(unsaved());
    const items: HTMLElement[] = [];
    let group = "";
    for (const entry of found.slice(0, MOST)) {
      if (!words.length && entry.group !== group)
        items.push(h("li", { class: "group-name", role: "presentation" }, (group = entry.group)));
      items.push(this.item(entry, items.length, waiting.has(entry.spec)));
    }
    if (found.length > MOST) items.push(h("li", { class: "note" }, `\u2026 and ${found.length - MOST} more`));
    if (!found.length) items.push(h("li", { class: "note" }, "No spec has these words."));
    this.list.replaceChildren(...items);
    this.move(0);
  }

  private item({ spec, name, detail, group }: Entry, number: number, isUnsaved: boolean): HTMLElement {
    const mark = isUnsaved ? [h("span", { class: "unsaved" }, "not saved")] : [];
    const told = h("span", { class: "detail" }, this.input.value ? group : detail);
    return h("li", { role: "option", id: `found-${number}`, "data-spec": spec }, h("span", {}, name), ...mark, told);
  }

  private get options(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>('[role="option"]')];
  }

  private move(to: number): void {
    const { options } = this;
    this.at = Math.min(options.length - 1, Math.max(0, to));
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.at)));
    const option = options[this.at] as HTMLElement | undefined;
    this.input.setAttribute("aria-activedescendant", option?.id ?? "");
    // The first has the name of its group above it.
    if (this.at === 0) this.list.scrollTop = 0;
    else option?.scrollIntoView({ block: "nearest" });
  }

  private pressed(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key === "Enter") this.choose(this.options[this.at] ?? null);
    else if (steps[event.key]) this.move(this.at + steps[event.key]);
    else return;
    event.preventDefault();
  }

  private choose(item: HTMLElement | null): void {
    if (item?.dataset.spec === undefined) return;
    this.dialog.close();
    this.chosen(item.dataset.spec);
  }
}
