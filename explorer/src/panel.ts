// What is known of the selected operation.

import type { Comparison, Source } from "./data";
import { h } from "./html";
import type { Network, Place } from "./network";
import { share } from "./overlay";
import type { Actions } from "./pane";
import { bytes, exact, human, percent, shape } from "./words";

/** The most inputs or outputs that are listed. */
const LISTED = 20;

export class Panel {
  constructor(
    private readonly host: HTMLElement,
    private readonly actions: Actions,
    private readonly comparison: Comparison | undefined,
    private readonly chosen: (paths: [string[], string[]]) => void,
  ) {}

  show(network: Network, selected: Place | null): void {
    if (!selected && this.comparison) return this.host.replaceChildren(...this.changes(this.comparison));
    const place = selected ?? network.root;
    const { node } = place;
    this.host.replaceChildren(
      this.crumbs(place),
      h("h2", {}, ...breakable(place.parent ? node.title : network.data.name)),
      ...(place.parent ? [] : [h("p", { class: "description" }, network.data.description)]),
      ...this.change(place),
      ...list("Shapes", this.shapes(place)),
      ...list("Costs", this.costs(place)),
      ...list("Arguments", [
        ...node.arguments,
        ...(node.shared ? [["weights", `those of ${node.shared}`] as [string, string]] : []),
      ]),
      ...list("torch's defaults", node.defaults ?? [], "left"),
      ...this.spec(place),
    );
    this.scrollToLine();
  }

  /** All changes, each a button that shows where it is. */
  private changes({ changes }: Comparison): HTMLElement[] {
    const items = changes.map(({ status, text, left, right }) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: `change changed-${status}`, click: () => this.chosen([left, right]) },
          h("b", {}, status),
          ` ${text}`,
        ),
      ),
    );
    const count = changes.length === 1 ? "1 change" : `${changes.length} changes`;
    return [h("h2", {}, changes.length ? count : "No changes"), h("ul", { class: "changes" }, ...items)];
  }

  private crumbs(place: Place): HTMLElement {
    const way = [...place.ancestors()].reverse();
    const link = (at: Place) =>
      h(
        "button",
        { type: "button", class: "crumb", click: () => this.actions.select(at.parent ? at : null) },
        ...breakable(at.name),
      );
    return h(
      "nav",
      { class: "crumbs", "aria-label": "path" },
      ...way.flatMap((at) => [link(at), " / "]),
      h("b", {}, ...breakable(place.name)),
    );
  }

  private change(place: Place): HTMLElement[] {
    const change = place.network.change(place);
    return change
      ? [h("p", { class: `change changed-${change[0]}` }, `${change[0]}${change[1] ? `: ${change[1]}` : ""}`)]
      : [];
  }

  private shapes(place: Place): [string, string][] {
    const named = (side: string, tensors: [string, number[]][]): [string, string][] =>
      tensors.length > LISTED
        ? [[`${side}s`, `${tensors.length} tensors`]]
        : tensors.map(([name, sizes]) => [tensors.length > 1 && name ? `${side} ${name}` : side, shape(sizes)]);
    const { inputs, outputs, tensors } = place.node;
    const weights = (tensors ?? []).map(([name, sizes]): [string, string] => [name, shape(sizes)]);
    return [...named("input", inputs), ...named("output", outputs), ...weights];
  }

  private costs(place: Place): [string, string][] {
    const { node, network } = place;
    const of = (key: "params" | "macs"): [string, string] => [
      key === "params" ? "parameters" : "MACs",
      node[key] < 1000 ? exact(node[key]) : `${exact(node[key])} (${human(node[key])})`,
    ];
    const shares = (key: "params" | "macs" | "memory"): [string, string][] =>
      place.parent && node[key] ? [["", `${percent(share(place, key))} of the network`]] : [];
    const field = network.data.fields[network.data.field[place.index]];
    return [
      of("params"),
      ...shares("params"),
      ...(node.buffers ? [["buffers", exact(node.buffers)] as [string, string]] : []),
      of("macs"),
      ...shares("macs"),
      ["activations", bytes(node.memory)],
      ...shares("memory"),
      ...(place.parent
        ? []
        : ([
            ["peak, inference", bytes(network.data.peak[0])],
            ["peak, training", bytes(network.data.peak[1])],
          ] as [string, string][])),
      ...(field?.[0]
        ? ([
            ["receptive field", field[0]],
            ["effective stride", field[1]],
          ] as [string, string][])
        : []),
    ];
  }

  private spec(place: Place): HTMLElement[] {
    if (!place.node.place) return [];
    const [number, line] = place.node.place;
    const source = place.network.data.sources[number];
    return [h("h3", {}, "Spec"), h("p", { class: "where" }, `${source.name}:${line}`), lines(source, line)];
  }

  private scrollToLine(): void {
    const line = this.host.querySelector<HTMLElement>(".line.here");
    const box = line?.parentElement;
    if (line && box) box.scrollTop = line.offsetTop - box.clientHeight / 3;
  }
}

function lines(source: Source, here: number): HTMLElement {
  if (source.text === null) return h("p", {}, "The text is too long to show.");
  const shown = source.text
    .split(/\r\n|\r|\n/)
    .map((text, index) =>
      h(
        "div",
        { class: index + 1 === here ? "line here" : "line", ...(index + 1 === here ? { "aria-current": "true" } : {}) },
        h("span", { class: "line-number" }, String(index + 1)),
        h("span", { class: "line-text" }, text),
      ),
    );
  return h("div", { class: "spec", tabindex: 0, role: "region", "aria-label": `text of ${source.name}` }, ...shown);
}

/** A name may go on in the next line after an underscore, a point or a dash. */
const breakable = (name: string): (Node | string)[] =>
  name.split(/(?<=[_.-])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));

function list(title: string, items: [string, string][], kind = ""): HTMLElement[] {
  if (!items.length) return [];
  return [
    h("h3", {}, title),
    h("dl", { class: kind }, ...items.flatMap(([key, value]) => [h("dt", {}, ...breakable(key)), h("dd", {}, value)])),
  ];
}
