// A scene as SVG.

import { BAND, BESIDE, HEADER, LABEL, layerTexts, measure, MODULE, moduleTexts } from "./boxes";
import { END, type Placed, type Point, type Scene, type Wire } from "./layout";
import type { Place } from "./network";
import { sign } from "./words";

const SVG = "http://www.w3.org/2000/svg";
const ROUND = 6;

type Attributes = Record<string, string | number>;

export function element(name: string, attributes: Attributes = {}, text?: string): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) {
    made.textContent = text;
    made.setAttribute("aria-hidden", "true"); // a box has a label, which says the same
  }
  return made;
}

/** Everything that is drawn of a network. `boxes` has the element of each place. */
export interface Drawing {
  root: SVGElement;
  boxes: Map<Place, SVGElement>;
  width: number;
  height: number;
}

export function draw(root: Place, scene: Scene): Drawing {
  const boxes = new Map<Place, SVGElement>();
  const group = element("g");
  inside(root, scene, group, boxes);
  for (const { text, x, y, width } of scene.ends) {
    group.append(
      element("rect", { class: "end", x, y, width, height: END, rx: END / 2 }),
      element("text", { class: "end-text", x: x + width / 2, y: y + 16, "text-anchor": "middle" }, text),
    );
  }
  return { root: group, boxes, width: scene.width, height: scene.height };
}

function inside(place: Place, scene: Scene, into: SVGElement, boxes: Map<Place, SVGElement>): void {
  // Skips are drawn last, above the lines that they cross.
  for (const wire of [...scene.wires].sort((a, b) => Number(a.kind === "skip") - Number(b.kind === "skip"))) {
    into.append(drawWire(wire));
  }
  for (const placed of scene.placed) into.append(drawPlaced(place, placed, boxes));
  for (const { text, x, y } of scene.labels) into.append(element("text", { class: "shape", x, y }, text));
}

function drawWire({ points, kind, arrow }: Wire): SVGElement {
  const marker: Attributes = arrow ? { "marker-end": `url(#arrow${kind})` } : {};
  return element("path", { class: `wire ${kind}`, d: rounded(points), ...marker });
}

/** A path through points, with round corners. */
function rounded(points: Point[]): string {
  let path = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [before, at, after] = [points[i - 1], points[i], points[i + 1]];
    const [start, end] = [towards(at, before), towards(at, after)];
    path += `L${start.x} ${start.y}Q${at.x} ${at.y} ${end.x} ${end.y}`;
  }
  const last = points.at(-1)!;
  return `${path}L${last.x} ${last.y}`;
}

function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const part = Math.min(ROUND, length / 2) / length;
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

function drawPlaced(around: Place, { box, x, y, inner }: Placed, boxes: Map<Place, SVGElement>): SVGElement {
  const group = element("g", { transform: `translate(${x} ${y})` });
  const place = around.children[box.members[0]];
  if (inner) {
    const drawn = register(place, boxes, "box open");
    drawn.append(...openModule(place, inner));
    const content = element("g", { role: "group" });
    inside(place, inner, content, boxes);
    drawn.append(content);
    group.append(drawn);
    return group;
  }
  if (box.kind === "layers") {
    box.members.forEach((member, index) => {
      const child = around.children[member];
      const drawn = register(child, boxes, `box layer family-${child.node.family}`);
      drawn.append(...band(child, index, box.members.length, box.width));
      group.append(drawn);
    });
  } else {
    const drawn = register(place, boxes, `box ${box.kind}`);
    drawn.append(...(box.kind === "merge" ? merge(place, box.width) : closedModule(place, box.width)));
    group.append(drawn);
  }
  if (box.label) {
    const bottom = box.height - LABEL;
    group.append(element("text", { class: "shape", x: box.width / 2 + BESIDE, y: bottom + 12 }, box.label));
  }
  return group;
}

function register(place: Place, boxes: Map<Place, SVGElement>, classes: string): SVGElement {
  const group = element("g", { class: classes });
  boxes.set(place, group);
  return group;
}

function band(place: Place, index: number, count: number, width: number): SVGElement[] {
  const [title, detail] = layerTexts(place.node);
  const y = index * BAND;
  const [first, last] = [index === 0, index === count - 1];
  const middle = y + BAND / 2 + 4;
  const wide = measure(title, 12, "bold") + (detail ? 6 + measure(detail, 11) : 0);
  const start = (width - wide) / 2;
  const texts = [element("text", { class: "title", x: start, y: middle }, title)];
  if (detail)
    texts.push(element("text", { class: "detail", x: start + 6 + measure(title, 12, "bold"), y: middle }, detail));
  return [
    element("path", { class: "shape-of-box", d: slab(0, y, width, BAND, first ? 5 : 0, last ? 5 : 0) }),
    ...texts,
  ];
}

/** A rectangle whose upper and lower corners have radii of their own. */
function slab(x: number, y: number, width: number, height: number, top: number, bottom: number): string {
  const arc = (r: number, dx: number, dy: number) => (r ? `a${r} ${r} 0 0 1 ${dx} ${dy}` : "");
  return (
    `M${x} ${y + top}${arc(top, top, -top)}h${width - 2 * top}${arc(top, top, top)}v${height - top - bottom}` +
    `${arc(bottom, -bottom, bottom)}h${2 * bottom - width}${arc(bottom, -bottom, -bottom)}z`
  );
}

function closedModule(place: Place, width: number): SVGElement[] {
  const [name, kind, costs] = moduleTexts(place.name, place.node, place.network.data.nodes);
  const drawn = [
    element("rect", { class: "behind", x: 3.5, y: 3.5, width, height: MODULE - 3, rx: 5 }),
    element("rect", { class: "shape-of-box", width, height: MODULE - 2, rx: 5 }),
    element("text", { class: "title", x: 10, y: costs ? 16 : 23 }, name),
    element("text", { class: "detail", x: 16 + measure(name, 12, "bold"), y: costs ? 16 : 23 }, kind),
    element("text", { class: "costs", x: 10, y: 31 }, costs),
  ];
  return place.isModule ? [...drawn, ...chip(width - 24, (MODULE - 2) / 2 - 8, false)] : drawn;
}

function openModule(place: Place, scene: Scene): SVGElement[] {
  const [name, kind] = moduleTexts(place.name, place.node, place.network.data.nodes);
  return [
    element("rect", { class: `ground level-${place.depth % 2}`, width: scene.width, height: scene.height, rx: 7 }),
    element("path", { class: "header shape-of-box", d: slab(0, 0, scene.width, HEADER, 7, 0) }),
    element("text", { class: "title", x: 10, y: 17 }, name),
    element("text", { class: "detail", x: 16 + measure(name, 12, "bold"), y: 17 }, kind),
    ...chip(scene.width - 22, 5, true),
  ];
}

/** The sign that a module can be folded or unfolded. */
function chip(x: number, y: number, open: boolean): SVGElement[] {
  const sign = `M${x + 4} ${y + 8}h8${open ? "" : `M${x + 8} ${y + 4}v8`}`;
  const button = element("g", { class: "chip" });
  button.append(element("rect", { x, y, width: 16, height: 16, rx: 4 }), element("path", { d: sign }));
  return [button];
}

function merge(place: Place, width: number): SVGElement[] {
  return [
    element("rect", { class: "shape-of-box", width, height: 24, rx: 12 }),
    element("text", { class: "title merge-sign", x: width / 2, y: 16, "text-anchor": "middle" }, sign(place.node)),
  ];
}
