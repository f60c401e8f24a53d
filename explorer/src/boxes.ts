// How large each box is: layers that follow one another without a branch are one stack of bands.

import type { Node } from "./data";
import type { Place } from "./network";
import { details, exact, human, shape, shorten, sign } from "./words";

export const BAND = 23;
export const MODULE = 40;
export const HEADER = 26;
export const LABEL = 15;
/** From a line to the shape beside it. */
export const BESIDE = 6;
const MERGE = 24;
const FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
/** The most characters of a text in a box; the panel has all of it. */
const MOST = 46;
/** Families that continue a stack; only the first two begin one. */
const BEGIN = ["convolution", "linear"];
const CONTINUE = ["normalization", "activation", "dropout"];

/** What is drawn as one: a single operation, or a stack of layers. `members` are its children's numbers. */
export interface Box {
  members: number[];
  kind: "layers" | "module" | "merge";
  width: number;
  height: number;
  /** Its width in the layout: a shape beside the line out of its middle needs room, too. */
  room: number;
  /** The shape that leaves it, if it is not the one that enters it. */
  label: string;
}

const context = document.createElement("canvas").getContext("2d")!;
const widths = new Map<string, number>();

export function measure(text: string, size: number, weight = "normal"): number {
  const key = `${weight} ${size} ${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    context.font = `${weight} ${size}px ${FONT}`;
    widths.set(key, (width = context.measureText(text).width));
  }
  return width;
}

/** The texts of a module's box: name, kind with its arguments, and costs. */
export function moduleTexts(name: string, node: Node, nodes: Node[]): [string, string, string] {
  const called = details(node);
  const kind = several(node, nodes) ?? shorten(called ? `${node.title} ${called}` : node.title, MOST);
  const costs = [node.params ? `${human(node.params)} params` : "", node.macs ? `${human(node.macs)} MACs` : ""];
  return [shorten(name, MOST), kind, costs.filter(Boolean).join(" \u00b7 ")];
}

/** What a list of modules holds: `7 \u00d7 MBConv`. */
function several(node: Node, nodes: Node[]): string | null {
  const children = node.children!;
  if (node.group) return `${exact(steps(node, nodes))} steps`;
  const titles = new Set(children.map(([, number]) => nodes[number].title));
  const alike =
    node.title === "Sequential" && children.length > 1 && titles.size === 1 && nodes[children[0][1]].children;
  return alike ? `${children.length} \u00d7 ${[...titles][0]}` : null;
}

/** How many steps of the module are in a group, which may hold groups itself. */
function steps(node: Node, nodes: Node[]): number {
  return node.group ? node.children!.reduce((sum, [, number]) => sum + steps(nodes[number], nodes), 0) : 1;
}

export const layerTexts = (node: Node): [string, string] => [
  node.title,
  node.shared ? `the weights of ${node.shared}` : shorten(details(node), MOST),
];

/** The boxes of an open module. */
export function boxes(place: Place): Box[] {
  const { network, node } = place;
  const nodes = network.data.nodes;
  const children = node.children!.map(([, number]) => nodes[number]);
  return stacks(node, children).map((members) => box(place, members, children));
}

function stacks(module: Node, children: Node[]): number[][] {
  const takers = new Map<number, number[]>();
  for (const [tail, , head] of module.edges!) takers.set(tail, [...(takers.get(tail) ?? []), head]);
  const found: number[][] = [];
  const stackOf = new Map<number, number[]>();
  const before = new Map(module.edges!.map(([tail, , head]) => [head, tail]));
  children.forEach((child, number) => {
    const tail = before.get(number) ?? -1;
    const stack = stackOf.get(tail);
    if (stack && CONTINUE.includes(child.family ?? "") && takers.get(tail)!.length === 1 && child.inputs.length === 1) {
      stack.push(number);
      stackOf.set(number, stack);
    } else {
      found.push([number]);
      if (BEGIN.includes(child.family ?? "")) stackOf.set(number, found.at(-1)!);
    }
  });
  return found;
}

function box(place: Place, members: number[], children: Node[]): Box {
  const first = children[members[0]];
  const last = children[members.at(-1)!];
  const label = changed(first, last) ? shape(last.outputs[0][1]) : "";
  const [kind, width, height] = size(place, members, children);
  const room = Math.max(width, label ? 2 * (BESIDE + measure(label, 10)) : 0);
  return { members, kind, width, height: height + (label ? LABEL : 0), room, label };
}

function size(place: Place, members: number[], children: Node[]): [Box["kind"], number, number] {
  const first = children[members[0]];
  if (first.family !== undefined) {
    return ["layers", Math.max(...members.map((member) => layerWidth(children[member]))), members.length * BAND];
  }
  if (first.children) {
    const [name, kind, costs] = moduleTexts(place.node.children![members[0]][0], first, place.network.data.nodes);
    const text = Math.max(measure(name, 12, "bold") + 6 + measure(kind, 11), measure(costs, 10.5));
    return ["module", 50 + text, MODULE];
  }
  return ["merge", Math.max(MERGE, measure(sign(first), 11, "bold") + 18), MERGE];
}

function layerWidth(node: Node): number {
  const [title, detail] = layerTexts(node);
  return Math.max(70, 22 + measure(title, 12, "bold") + (detail ? 6 + measure(detail, 11) : 0));
}

function changed(first: Node, last: Node): boolean {
  return last.outputs.length === 1 && shape(first.inputs[0]?.[1] ?? []) !== shape(last.outputs[0][1]);
}
