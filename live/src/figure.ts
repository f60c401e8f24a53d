// The figure of the network, to move and zoom, in which a click on a box goes to its step.

import { h } from "../../explorer/src/html";
import { View } from "../../explorer/src/view";
import { COLORS, type Shown, STYLES } from "./address";
import type { Figure } from "./messages";
import { choice, Pane } from "./pane";
import { figure as cleaned } from "./svg";

const SVG = "http://www.w3.org/2000/svg";
const COLOR_NAMES: Record<string, string> = {
  family: "by layer",
  params: "by parameters",
  macs: "by MACs",
  memory: "by memory",
};
/** The deepest that the choice of levels offers. */
const LEVELS = 4;
/** Letters of a figure are still legible at this scale. */
const READABLE = 0.4;

export interface Actions {
  /** The box of a path is chosen. */
  box(path: string): void;
  options(part: Partial<Shown>): void;
}

export class FigurePane extends Pane {
  private readonly picture = document.createElementNS(SVG, "svg");
  private readonly canvas = document.createElementNS(SVG, "g");
  private readonly view: View;
  private drawn: SVGSVGElement | null = null;
  private text = "";
  private begun = false;
  private size = { width: 1, height: 1 };
  private readonly told = h("p", { class: "told" });
  private readonly choices: Record<"style" | "levels" | "color", HTMLSelectElement>;

  constructor(
    shown: Shown,
    private readonly actions: Actions,
  ) {
    super("figure", "Figure");
    this.picture.setAttribute("class", "picture");
    this.picture.setAttribute("role", "img");
    this.picture.append(this.canvas);
    this.view = new View(this.picture, this.canvas, (target) => this.clicked(target));
    this.choices = this.selects(shown);
    this.tools.append(...Object.values(this.choices));
    this.body.append(this.picture, this.told, this.zooms());
    this.body.tabIndex = 0;
    this.body.setAttribute("aria-label", "Figure: arrows move it, plus and minus zoom");
    this.body.addEventListener("keydown", (event) => this.pressed(event));
  }

  show({ svg, told }: Figure): void {
    this.told.textContent = told;
    if (svg === this.text) return;
    const made = cleaned(svg);
    if (!made) return;
    this.text = svg;
    const [, , width, height] = made
      .getAttribute("viewBox")!
      .split(/[\s,]+/)
      .map(Number);
    made.setAttribute("width", String(width));
    made.setAttribute("height", String(height));
    this.canvas.replaceChildren(made);
    this.drawn = made;
    this.picture.setAttribute("aria-label", `Figure of ${made.querySelector("title")?.textContent ?? "the network"}`);
    this.size = { width, height };
    if (this.begun) this.view.show(width, height, this.start());
    else this.fit();
  }

  /** Another network comes: it is seen from its beginning. */
  clear(): void {
    this.begun = false;
    this.text = "";
    this.drawn = null;
    this.canvas.replaceChildren();
    this.told.textContent = "";
  }

  /** The pane has become visible. */
  appeared(): void {
    if (!this.begun) this.fit();
  }

  options({ style, levels, color }: Shown): void {
    this.choices.style.value = style;
    this.choices.levels.value = String(levels);
    this.choices.color.value = color;
  }

  /** Marks the boxes of some paths, or of the nearest module around each. */
  mark(paths: string[]): void {
    const boxes = [...(this.drawn?.querySelectorAll("g.node") ?? [])];
    const named = new Map(boxes.map((box) => [path(box), box]));
    const here = new Set(paths.map((each) => nearest(named, each)));
    for (const box of boxes) box.classList.toggle("here", here.has(box));
  }

  /** Shows the whole, or the beginning of what would be too small to read. */
  private fit(): void {
    const { clientWidth, clientHeight } = this.picture;
    if (!this.drawn || !clientWidth) return;
    const { width, height } = this.size;
    this.view.show(width, height, this.start());
    this.view.fit(Math.min(clientWidth / width, clientHeight / height) < READABLE);
    this.begun = true;
  }

  /** Where along the picture the data comes in. */
  private start(): number {
    const first = this.drawn?.querySelector("g.node");
    if (!first) return this.size.width / 2;
    const [whole, box] = [this.drawn!.getBoundingClientRect(), first.getBoundingClientRect()];
    return ((box.left + box.width / 2 - whole.left) / whole.width) * this.size.width;
  }

  private selects({ style, levels, color }: Shown): Record<"style" | "levels" | "color", HTMLSelectElement> {
    const depths = Array.from({ length: LEVELS }, (_, index): [string, string] => [
      String(index + 1),
      `${index + 1} deep`,
    ]);
    const change = (name: keyof Shown) => (value: string) =>
      this.actions.options({ [name]: name === "levels" ? Number(value) : value });
    return {
      style: choice(
        "Style of the figure",
        STYLES.map((each) => [each, each]),
        style,
        change("style"),
      ),
      levels: choice("Levels that are opened", [["0", "all levels"], ...depths], levels, change("levels")),
      color: choice(
        "What the colours show",
        COLORS.map((each) => [each, COLOR_NAMES[each]]),
        color,
        change("color"),
      ),
    };
  }

  private zooms(): HTMLElement {
    const button = (name: string, text: string, act: () => void) =>
      h("button", { type: "button", "aria-label": name, title: name, click: act }, text);
    return h(
      "div",
      { class: "zooms group" },
      button("Zoom in (+)", "+", () => this.view.zoom(1.3)),
      button("Zoom out (\u2212)", "\u2212", () => this.view.zoom(1 / 1.3)),
      button("Fit to the pane (0)", "\u25a3", () => this.view.fit()),
      button("Save the figure as SVG", "\u2193", () => this.save()),
    );
  }

  private save(): void {
    const address = URL.createObjectURL(new Blob([this.text], { type: "image/svg+xml" }));
    h("a", { href: address, download: `${this.drawn?.querySelector("title")?.textContent ?? "figure"}.svg` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  private clicked(target: Element): void {
    const box = target.closest("g.node");
    if (box) this.actions.box(path(box));
  }

  private pressed(event: KeyboardEvent): void {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [60, 0],
      ArrowRight: [-60, 0],
      ArrowUp: [0, 60],
      ArrowDown: [0, -60],
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) this.view.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.view.zoom(1.3);
    else if (event.key === "-") this.view.zoom(1 / 1.3);
    else if (event.key === "0") this.view.fit();
    else return;
    event.preventDefault();
  }
}

const path = (box: Element): string => box.querySelector(":scope > title")?.textContent ?? "";

/** The box of a path, or else the first inside it, or else that of a module around it. */
function nearest(named: Map<string, Element>, wanted: string): Element | undefined {
  for (let at = wanted; at; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const found = named.get(at) ?? [...named].find(([name]) => name.startsWith(`${at}.`))?.[1];
    if (found) return found;
  }
  return undefined;
}
