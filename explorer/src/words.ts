// Numbers, shapes and texts for people.

import type { Node, Shape } from "./data";

const UNITS: [string, number][] = [
  ["T", 1e12],
  ["G", 1e9],
  ["M", 1e6],
  ["k", 1e3],
];
const SIGNS: Record<string, string> = {
  add: "+",
  subtract: "\u2212",
  multiply: "\u00d7",
  divide: "\u00f7",
  maximum: "max",
  minimum: "min",
};

export function human(value: number): string {
  for (const [unit, size] of UNITS) if (value >= size) return `${(value / size).toFixed(2)} ${unit}`;
  return String(value);
}

export function bytes(value: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as [string, number][]) {
    if (value >= size) return `${(value / size).toFixed(2)} ${unit}`;
  }
  return `${value} bytes`;
}

export const exact = (value: number): string => value.toLocaleString("en-US");

export const shape = (sizes: Shape): string => sizes.join("\u00d7");

/** The most characters of shapes in a cell of the table. */
const WIDE = 22;

/** The shapes of several tensors, or, if that is long, how many there are. */
export function shapes(all: Shape[]): string {
  const text = all.map(shape).join(", ");
  return all.length > 1 && text.length > WIDE ? `${exact(all.length)} tensors` : text;
}

export function percent(share: number): string {
  if (share === 0) return "0 %";
  return share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

/** The sign of a merge, or its name. */
export const sign = (node: Node): string => SIGNS[node.title] ?? node.title;

/** A layer's arguments, or those that a block is called with. */
export function details(node: Node): string {
  return node.detail ?? node.arguments.map(([name, value]) => `${name} ${value}`).join(", ");
}

export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}\u2026`;
}
