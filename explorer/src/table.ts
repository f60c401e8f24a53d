// The table of what is open, a row for each box of the picture.

import type { Node } from "./data";
import { h } from "./html";
import type { Network, Place } from "./network";
import { share } from "./overlay";
import type { Actions } from "./pane";
import { details, human, shape, shapes } from "./words";

/** The most outputs that a cell's title lists. */
const LISTED = 20;

export class Table {
  private readonly body = h("tbody");
  private rows = new Map<Place, HTMLElement>();
  private current: HTMLElement | null = null;

  constructor(
    private readonly network: Network,
    host: HTMLElement,
    private readonly actions: Actions,
  ) {
    const heads: [string, string][] = [
      ["name", ""],
      ["layer", "layer"],
      ["output", ""],
      ["params", "number"],
      ["MACs", "number"],
    ];
    const root = network.root.node;
    const foot = h(
      "tr",
      {},
      h("th", { scope: "row" }, "total"),
      h("td"),
      h("td"),
      h("td", { class: "number" }, human(root.params)),
      h("td", { class: "number" }, human(root.macs)),
    );
    host.append(
      h(
        "table",
        { role: "treegrid", "aria-label": `table of ${network.data.name}` },
        h("thead", {}, h("tr", {}, ...heads.map(([head, kind]) => h("th", { scope: "col", class: kind }, head)))),
        this.body,
        h("tfoot", {}, foot),
      ),
    );
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("focusin", (event) => this.focused(event.target as Element));
  }

  redraw(): void {
    const selected = [...this.rows].find(([, row]) => row === this.current)?.[0];
    const focused = this.body.contains(document.activeElement);
    this.rows = new Map();
    for (const place of this.network.root.visible()) if (place.parent) this.rows.set(place, this.row(place));
    this.body.replaceChildren(...this.rows.values());
    this.current = null;
    this.mark(selected && this.rows.has(selected) ? selected : null, focused);
  }

  private row(place: Place): HTMLElement {
    const { node } = place;
    const name = h(
      "td",
      { class: "name", title: place.name },
      h("span", { class: "fold" }, place.isModule ? (place.open ? "\u25be" : "\u25b8") : ""),
      place.name,
    );
    name.style.setProperty("--depth", String(place.depth - 1));
    const cost = (key: "params" | "macs") => {
      const cell = h("td", { class: "number cost" }, node[key] ? human(node[key]) : "");
      cell.style.setProperty("--share", `${100 * share(place, key)}%`);
      return cell;
    };
    const inside = !place.open && this.network.changesIn(place) ? "touched" : "";
    const change = this.network.change(place)?.[0];
    return h(
      "tr",
      {
        "aria-level": place.depth,
        "aria-selected": "false",
        tabindex: -1,
        class: `${place.isModule ? "module" : ""} ${change ? `changed-${change}` : inside}`,
        "data-path": place.path,
        ...(place.isModule ? { "aria-expanded": String(place.open) } : {}),
      },
      name,
      h("td", { class: "layer", title: details(node) }, h("b", {}, node.group ? "" : node.title), ` ${details(node)}`),
      h("td", { class: "output", title: outputs(node) }, shapes(node.outputs.map(([, sizes]) => sizes))),
      cost("params"),
      cost("macs"),
    );
  }

  private at(target: Element): Place | undefined {
    const row = target.closest("tr");
    return [...this.rows].find(([, other]) => other === row)?.[0];
  }

  private clicked(event: Event): void {
    const target = event.target as Element;
    const place = this.at(target);
    if (!place) return;
    this.actions.select(place, "table");
    if (target.classList.contains("fold") && place.isModule) this.actions.toggle(place);
  }

  /** The row that Tab reaches is selected, as those that arrows reach. */
  private focused(target: Element): void {
    const place = this.at(target);
    if (place && target !== this.current) this.actions.select(place, "table");
  }

  mark(place: Place | null, focus = false): void {
    this.current?.setAttribute("aria-selected", "false");
    if (this.current) this.current.tabIndex = -1;
    this.current = (place && this.rows.get(place)) ?? null;
    const reached = this.current ?? this.rows.values().next().value;
    if (reached) reached.tabIndex = 0; // Tab reaches one row, arrows the others
    this.current?.setAttribute("aria-selected", "true");
    this.current?.scrollIntoView({ block: "nearest" });
    if (focus) this.current?.focus({ preventScroll: true });
  }
}

/** What a cell has no room for: the outputs by their names. */
const outputs = (node: Node): string =>
  node.outputs
    .slice(0, LISTED)
    .map(([name, sizes]) => `${name} ${shape(sizes)}`.trim())
    .concat(node.outputs.length > LISTED ? ["\u2026"] : [])
    .join("\n");
