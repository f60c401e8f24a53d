// Colours for parameters, MACs or memory: a box's share of the whole network.

import type { Place } from "./network";
import { h } from "./html";
import { bytes, human } from "./words";

export type Measure = "params" | "macs" | "memory";
export type Overlay = "" | Measure;

const NAMES: Record<Measure, string> = { params: "parameters", macs: "MACs", memory: "activations" };
const TICKS = [0, 0.01, 0.05, 0.2, 0.5, 1];

export function share(place: Place, measure: Measure): number {
  const whole = place.network.root.node[measure];
  return whole ? place.node[measure] / whole : 0;
}

/** Roots, so that shares of 1 % can be told apart: layers of deep networks have no more. */
const position = (share: number): number => Math.sqrt(share);

function stops(): number[][] {
  const style = getComputedStyle(document.documentElement);
  return ["--heat-0", "--heat-1", "--heat-2"].map((name) => {
    const text = style.getPropertyValue(name).trim();
    return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  });
}

/** The colour for a share, `#rrggbb`. */
export function colors(): (share: number) => string {
  const ramp = stops();
  return (share) => {
    const at = position(share) * (ramp.length - 1);
    const from = Math.min(Math.floor(at), ramp.length - 2);
    const mixed = ramp[from].map((value, i) => Math.round(value + (ramp[from + 1][i] - value) * (at - from)));
    return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  };
}

export function legend(overlay: Measure, root: Place): HTMLElement {
  const color = colors();
  const bar = h("span", { class: "legend-bar" });
  bar.style.background = `linear-gradient(to right, ${Array.from({ length: 11 }, (_, i) => color((i / 10) ** 2)).join(",")})`;
  const ticks = TICKS.map((share) => {
    const tick = h("span", { class: "legend-tick" }, `${100 * share}${share === 1 ? " %" : ""}`);
    tick.style.left = `${100 * position(share)}%`;
    return tick;
  });
  const total = overlay === "memory" ? bytes(root.node.memory) : human(root.node[overlay]);
  return h(
    "div",
    {
      class: "legend-inner",
      role: "img",
      "aria-label": `colour: share of the network's ${NAMES[overlay]}, from 0 to 100 percent`,
    },
    h("span", { class: "legend-title" }, `share of ${total} ${NAMES[overlay]}`),
    h("span", { class: "legend-scale" }, bar, ...ticks),
  );
}

/** What the colours of a comparison mean. */
export function statuses(): HTMLElement {
  const names = ["added", "removed", "changed", "moved", "affected"];
  const items = names.map((name) => h("span", { class: `status changed-${name}` }, name));
  return h(
    "div",
    { class: "legend-inner statuses" },
    ...items,
    h("span", { class: "status touched" }, "changes inside"),
  );
}
