// The table of the network: a tree of rows, renewed in place so that what is unfolded and scrolled to stays.

import { h } from "../../explorer/src/html";
import type { Place, Table, TableRow } from "./messages";
import { choice, Pane } from "./pane";

/** A row as it is drawn. */
interface Line {
  row: TableRow;
  parent: Line | null;
  element: HTMLElement;
  /** What is drawn, to see whether it has changed. */
  drawn: string;
}

export interface Actions {
  /** A row is chosen; with `focus`, the person wants to go on in the spec. */
  row(place: Place, focus: boolean): void;
  depth(depth: number): void;
}

export class TablePane extends Pane {
  private table: Table | null = null;
  private lines = new Map<string, Line>();
  /** What a person has unfolded or folded, against what the depth says. */
  private readonly turned = new Map<string, boolean>();
  private selected: string | null = null;
  private readonly head = h("thead");
  private readonly rows = h("tbody");
  private readonly foot = h("tfoot");
  private readonly summary = h("p", { class: "table-summary" });
  private readonly depths: HTMLSelectElement;

  constructor(
    private depth: number,
    private readonly actions: Actions,
  ) {
    super("table", "Table");
    this.depths = choice("Depth", [], "", (value) => this.unfold(Number(value), true));
    this.tools.append(this.depths);
    const table = h(
      "table",
      { role: "treegrid", "aria-label": "Layers of the network" },
      this.head,
      this.rows,
      this.foot,
    );
    this.body.append(table, this.summary);
    this.rows.addEventListener("click", (event) => this.clicked(event));
    this.rows.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Folds everything below a depth; 0 is all. */
  unfold(depth: number, byHand = false): void {
    this.depth = depth;
    this.turned.clear();
    this.depths.value = String(depth);
    this.fold();
    if (byHand) this.actions.depth(depth);
  }

  show(table: Table): void {
    if (JSON.stringify(table.headings) !== JSON.stringify(this.table?.headings)) this.heads(table);
    this.table = table;
    const before = this.lines;
    this.lines = new Map();
    const open: Line[] = [];
    for (const row of table.rows) {
      open.length = Math.min(open.length, row.depth - 1);
      const parent = open.at(-1) ?? null;
      const line = this.line(row, parent, before);
      this.lines.set(row.path, line);
      open.push(line);
    }
    this.rows.replaceChildren(...[...this.lines.values()].map(({ element }) => element));
    this.feet(table);
    this.choices();
    this.fold();
    this.mark(this.selected);
  }

  clear(): void {
    this.table = null;
    this.lines.clear();
    this.turned.clear();
    this.selected = null;
    for (const part of [this.head, this.rows, this.foot, this.summary]) part.replaceChildren();
  }

  /** The place of the step at a path. */
  place(path: string): Place | null {
    return this.lines.get(path)?.row.place ?? null;
  }

  /** Marks the rows of the innermost step around an offset of the text, and shows the first of them. */
  at(offset: number): string[] {
    let best: Line[] = [];
    let least = Infinity;
    for (const line of this.lines.values()) {
      const { place } = line.row;
      if (!place || place.spec || offset < place.start || place.end < offset) continue;
      const size = place.end - place.start;
      if (size < least) [best, least] = [[], size];
      if (size === least) best.push(line);
    }
    const here = new Set(best.map((line) => this.seen(line)));
    for (const line of this.lines.values()) line.element.classList.toggle("here", here.has(line));
    const [first] = here;
    if (first && ![...here].some(({ element }) => this.inView(element)))
      first.element.scrollIntoView({ block: "nearest" });
    return best.map(({ row }) => row.path);
  }

  private heads({ headings }: Table): void {
    this.lines.clear();
    const cells = headings.map(({ text, is_right }) =>
      h("th", { scope: "col", class: is_right ? "number" : "" }, text),
    );
    this.head.replaceChildren(h("tr", {}, ...cells));
  }

  private line(row: TableRow, parent: Line | null, before: Map<string, Line>): Line {
    const { path } = row;
    const drawn = JSON.stringify([row.cells, row.depth, row.is_parent, row.is_failed]);
    const old = before.get(path);
    if (old?.drawn === drawn) return { ...old, row, parent };
    const element = this.drawn(row);
    if (old) element.classList.add("renewed");
    return { row, parent, element, drawn };
  }

  private drawn(row: TableRow): HTMLElement {
    const { headings } = this.table!;
    const cells = row.cells.map(({ lines, share }, index) => {
      const cell = h("td", { class: kind(headings[index]), title: lines.join("\n") });
      lines.forEach((text, number) => cell.append(...(number ? [h("br"), text] : [text])));
      if (share) cell.style.setProperty("--share", `${share}%`);
      return cell;
    });
    const twist = h("span", { class: "fold", "aria-hidden": "true" });
    cells[0].replaceChildren(twist, row.path.slice(row.path.lastIndexOf(".") + 1));
    cells[0].style.setProperty("--depth", String(row.depth - 1));
    const attributes = { "data-path": row.path, "aria-level": row.depth, tabindex: -1 };
    const element = h("tr", attributes, ...cells);
    element.classList.toggle("module", row.is_parent);
    element.classList.toggle("failed", row.is_failed);
    return element;
  }

  private feet({ feet, summary }: Table): void {
    const rows = feet.map((cells) =>
      h("tr", {}, ...cells.map((text, index) => h("td", { class: kind(this.table!.headings[index]) }, text))),
    );
    this.foot.replaceChildren(...rows);
    this.summary.textContent = summary.join(" \u00b7 ");
  }

  private choices(): void {
    const deepest = Math.max(1, ...[...this.lines.values()].map(({ row }) => row.depth));
    const names = Array.from({ length: deepest - 1 }, (_, index) => [String(index + 1), `depth ${index + 1}`]);
    if (this.depth >= deepest) names.push([String(this.depth), `depth ${this.depth}`]);
    names.push(["0", "all levels"]);
    this.depths.replaceChildren(...names.map(([value, name]) => h("option", { value }, name)));
    this.depths.value = String(this.depth);
  }

  private isOpen({ row }: Line): boolean {
    return this.turned.get(row.path) ?? (this.depth === 0 || row.depth < this.depth);
  }

  private fold(): void {
    const shut = new Set<Line>();
    for (const line of this.lines.values()) {
      const hidden = line.parent !== null && (shut.has(line.parent) || !this.isOpen(line.parent));
      if (hidden) shut.add(line);
      line.element.hidden = hidden;
      if (line.row.is_parent) line.element.setAttribute("aria-expanded", String(this.isOpen(line)));
    }
    const first = this.visible()[0];
    if (first && !this.rows.querySelector('[tabindex="0"]:not([hidden])')) first.element.tabIndex = 0;
  }

  private visible(): Line[] {
    return [...this.lines.values()].filter(({ element }) => !element.hidden);
  }

  /** The line itself, or the innermost around it that is not folded away. */
  private seen(line: Line): Line {
    let shown = line;
    while (shown.element.hidden && shown.parent) shown = shown.parent;
    return shown;
  }

  private inView(element: HTMLElement): boolean {
    const [row, body] = [element.getBoundingClientRect(), this.body.getBoundingClientRect()];
    return row.top >= body.top && row.bottom <= body.bottom;
  }

  private mark(path: string | null): void {
    this.selected = path;
    for (const line of this.lines.values()) {
      const chosen = line.row.path === path;
      line.element.setAttribute("aria-selected", String(chosen));
      line.element.tabIndex = chosen ? 0 : -1;
    }
    const chosen = path === null ? undefined : this.lines.get(path);
    if (!chosen || chosen.element.hidden) this.visible()[0]?.element.setAttribute("tabindex", "0");
  }

  private turn(line: Line, open = !this.isOpen(line)): void {
    if (line.row.is_parent) this.turned.set(line.row.path, open);
    this.fold();
  }

  private choose(line: Line, focus = false): void {
    this.mark(line.row.path);
    if (line.row.place) this.actions.row(line.row.place, focus);
  }

  private clicked(event: Event): void {
    const target = event.target as HTMLElement;
    const line = this.lines.get(target.closest("tr")?.dataset.path ?? "");
    if (!line) return;
    if (target.classList.contains("fold")) this.turn(line);
    else this.choose(line);
  }

  private pressed(event: KeyboardEvent): void {
    const all = this.visible();
    const at = all.findIndex(({ element }) => element === document.activeElement);
    if (at < 0) return;
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    const line = all[at];
    if (event.key in steps) this.focus(all[Math.min(all.length - 1, Math.max(0, steps[event.key]))]);
    else if (event.key === "ArrowRight") this.turn(line, true);
    else if (event.key === "ArrowLeft" && !(line.row.is_parent && this.isOpen(line))) this.focus(line.parent ?? line);
    else if (event.key === "ArrowLeft") this.turn(line, false);
    else if (event.key === "Enter") this.choose(line, true);
    else return;
    event.preventDefault();
  }

  private focus(line: Line): void {
    this.choose(line);
    line.element.focus();
  }
}

const kind = (heading?: Table["headings"][number]): string =>
  heading ? `${heading.is_right ? "number" : "words"} column-${heading.name.replace(/\W/g, "")}` : "";
