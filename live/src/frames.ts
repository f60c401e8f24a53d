// Panes beside the editor: in tabs, or two of them side by side. On a narrow window the editor is a tab too.

import { h } from "../../explorer/src/html";
import { PANES, type PaneId } from "./address";
import type { Pane } from "./pane";

export type Panes = Record<Exclude<PaneId, "spec">, Pane>;

/** The pane that comes beside another that is shown alone. */
const BESIDE: Partial<Record<PaneId, PaneId>> = { table: "figure", figure: "table", source: "table", diff: "table" };

class Frame {
  readonly element: HTMLElement;
  private readonly tabs = new Map<PaneId, HTMLElement>();
  private readonly tools = h("div", { class: "tools-of-frame" });
  private readonly panel: HTMLElement;
  readonly more = h("button", { type: "button", class: "more" });

  constructor(
    private readonly number: number,
    private readonly panes: Panes,
    chosen: (id: PaneId) => void,
  ) {
    for (const id of PANES) this.tabs.set(id, this.tab(id, chosen));
    const list = h("div", {
      role: "tablist",
      "aria-label": "Panes",
      keydown: (event) => this.pressed(event as KeyboardEvent),
    });
    list.append(...this.tabs.values());
    this.panel = h("div", { role: "tabpanel", id: `panel-${number}`, class: "panel" });
    const bar = h("div", { class: "frame-bar" }, list, this.tools, this.more);
    this.element = h("div", { class: "frame" }, bar, this.panel);
  }

  show(id: PaneId): void {
    for (const [each, tab] of this.tabs) {
      tab.setAttribute("aria-selected", String(each === id));
      tab.tabIndex = each === id ? 0 : -1;
    }
    this.panel.setAttribute("aria-labelledby", `tab-${this.number}-${id}`);
    const pane = this.panes[id === "spec" ? "table" : id];
    if (pane.host.parentElement !== this.panel) this.panel.append(pane.host);
    for (const other of this.panel.children) (other as HTMLElement).hidden = other !== pane.host;
    this.tools.replaceChildren(pane.tools);
  }

  badge(id: PaneId, text: string, isError: boolean): void {
    const badge = this.tabs.get(id)!.querySelector(".badge")!;
    badge.textContent = text;
    badge.classList.toggle("error", isError);
  }

  private tab(id: PaneId, chosen: (id: PaneId) => void): HTMLElement {
    const title = id === "spec" ? "Spec" : this.panes[id].title;
    const attributes = {
      type: "button",
      role: "tab",
      id: `tab-${this.number}-${id}`,
      "aria-controls": `panel-${this.number}`,
    };
    return h(
      "button",
      { ...attributes, class: `tab tab-${id}`, click: () => chosen(id) },
      title,
      h("span", { class: "badge" }),
    );
  }

  private pressed(event: KeyboardEvent): void {
    const all = [...this.tabs.values()].filter((tab) => tab.offsetParent);
    const at = all.indexOf(event.target as HTMLElement);
    const to: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 };
    if (at < 0 || !(event.key in to)) return;
    const tab = all.at(to[event.key] % all.length)!;
    tab.click();
    tab.focus();
    event.preventDefault();
  }
}

export class Frames {
  private readonly frames: Frame[];
  private shown: PaneId[] = [];

  constructor(host: HTMLElement, panes: Panes, chosen: (ids: PaneId[]) => void) {
    this.frames = [0, 1].map((number) => new Frame(number, panes, (id) => chosen(this.with(number, id))));
    const [first, second] = this.frames;
    first.more.addEventListener("click", () => chosen([this.shown[0], this.beside(this.shown[0])]));
    second.more.addEventListener("click", () => chosen(this.shown.slice(0, 1)));
    label(first.more, "Show another pane beside this", "\u25eb");
    label(second.more, "Close this pane", "\u00d7");
    host.append(...this.frames.map(({ element }) => element));
  }

  show(ids: PaneId[]): void {
    this.shown = ids;
    const [first, second] = this.frames;
    second.element.hidden = ids.length < 2;
    first.more.hidden = ids.length > 1;
    ids.forEach((id, number) => this.frames[number].show(id));
  }

  badge(id: PaneId, text: string, isError: boolean): void {
    for (const frame of this.frames) frame.badge(id, text, isError);
  }

  /** The panes after one is chosen in a frame: what the other frame shows already changes places with it. */
  private with(number: number, id: PaneId): PaneId[] {
    const ids = [...this.shown];
    const other = ids.indexOf(id);
    if (other >= 0) ids[other] = ids[number];
    ids[number] = id;
    return ids;
  }

  private beside(id: PaneId): PaneId {
    return BESIDE[id] ?? "table";
  }
}

function label(button: HTMLElement, name: string, sign: string): void {
  button.textContent = sign;
  button.title = name;
  button.setAttribute("aria-label", name);
}
