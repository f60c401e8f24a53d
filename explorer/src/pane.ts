// One network's picture.

import { type Drawing, draw, element } from "./draw";
import { byId } from "./html";
import type { Layout } from "./layout";
import type { Network, Place } from "./network";
import { colors, type Overlay, share } from "./overlay";
import { View } from "./view";
import { details } from "./words";

export interface Actions {
  select(place: Place | null, from?: "picture" | "table"): void;
  toggle(place: Place): void;
}

export class Pane {
  readonly view: View;
  readonly svg: SVGSVGElement;
  drawing: Drawing | null = null;
  private readonly canvas: SVGGElement;
  private placeOf = new Map<Element, Place>();
  selected: Place | null = null;
  private turn = 0;

  constructor(
    readonly network: Network,
    readonly host: HTMLElement,
    private readonly layout: Layout,
    private readonly actions: Actions,
  ) {
    this.svg = element("svg", { class: "picture", role: "presentation" }) as SVGSVGElement;
    const arrows = byId<SVGSVGElement>("arrows").querySelector("defs")!.cloneNode(true);
    this.canvas = element("g") as SVGGElement;
    this.svg.append(arrows, this.canvas);
    host.append(this.svg);
    host.setAttribute("role", "tree");
    host.setAttribute("aria-label", `picture of ${network.data.name}`);
    host.tabIndex = 0;
    this.view = new View(this.svg, this.canvas, (target) => this.clicked(target));
  }

  /** Lays out and draws what is open. `held` keeps its place on the screen. */
  async redraw(held: Place | null = null): Promise<void> {
    const turn = ++this.turn;
    const scene = await this.layout.scene(this.network.root);
    if (turn !== this.turn) return; // something else was opened meanwhile
    const before = held && this.drawing?.boxes.get(held)?.getBoundingClientRect();
    this.drawing = draw(this.network.root, scene);
    this.canvas.replaceChildren(this.drawing.root);
    this.view.show(scene.width, scene.height, scene.inputs[0]);
    this.placeOf = new Map([...this.drawing.boxes].map(([place, box]) => [box, place]));
    this.describe();
    this.mark(this.selected);
    const after = held && this.drawing.boxes.get(held);
    if (before && after) this.view.hold(after, before);
  }

  /** What a screen reader says of each box. */
  private describe(): void {
    let number = 0;
    for (const [place, box] of this.drawing!.boxes) {
      box.id = `${this.host.id}-${number++}`;
      box.setAttribute("role", "treeitem");
      box.setAttribute("aria-level", String(place.depth));
      box.setAttribute("aria-label", `${place.name}: ${place.node.title} ${details(place.node)}`);
      box.setAttribute("data-path", place.path);
      box.setAttribute("aria-selected", "false");
      if (place.isModule) box.setAttribute("aria-expanded", String(place.open));
      const change = this.network.change(place);
      if (change) box.classList.add(`changed-${change[0]}`);
      else if (!place.open && this.network.changesIn(place)) box.classList.add("touched");
    }
  }

  private clicked(target: Element): void {
    const box = target.closest(".box");
    const place = box && this.placeOf.get(box);
    // The ground of an open module is not its header: a click on it selects.
    if (place?.isModule && !target.classList.contains("ground")) this.actions.toggle(place);
    this.actions.select(place ?? null, "picture");
    this.host.focus({ preventScroll: true });
  }

  mark(place: Place | null): void {
    const boxes = this.drawing?.boxes;
    this.canvas.querySelectorAll('[aria-selected="true"]').forEach((box) => box.setAttribute("aria-selected", "false"));
    this.selected = place;
    const box = place && boxes?.get(place);
    box?.setAttribute("aria-selected", "true");
    if (box) this.host.setAttribute("aria-activedescendant", box.id);
    else this.host.removeAttribute("aria-activedescendant");
  }

  reveal(place: Place): void {
    const box = this.drawing?.boxes.get(place);
    if (box) this.view.reveal(box);
  }

  paint(overlay: Overlay): void {
    this.svg.classList.toggle("heat", overlay !== "");
    if (!overlay) return;
    const color = colors();
    for (const [place, box] of this.drawing?.boxes ?? []) box.style.setProperty("--heat", color(share(place, overlay)));
  }

  /** Highlights what was found. */
  highlight(places: Set<Place>): void {
    for (const [place, box] of this.drawing?.boxes ?? []) box.classList.toggle("found", places.has(place));
  }
}
