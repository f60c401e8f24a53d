// The page: it reads its data, draws, and keeps picture, table and panel in step.

import type { PageData } from "./data";
import { byId, h } from "./html";
import { Layout } from "./layout";
import { Network, type Place } from "./network";
import { legend, type Overlay, statuses } from "./overlay";
import { type Actions, Pane } from "./pane";
import { Panel } from "./panel";
import { printWhole, save } from "./save";
import { Search } from "./search";
import { Table } from "./table";
import { exact, human, shorten } from "./words";

/** The most boxes that are drawn, and those that a page begins with at most. */
const MOST = 2500;
const FIRST = 30;
/** And in a comparison, of all changes. */
const FEW = 120;
/** The most characters of an address in a message. */
const LONGEST = 60;

class Explorer implements Actions {
  private readonly networks: Network[];
  private readonly panes: Pane[];
  private readonly tables: Table[];
  private readonly panel: Panel;
  private readonly search: Search;
  /** The partners of a comparison for paths on the right. */
  private readonly backwards: Record<string, string | null> = {};
  private selected: Place | null = null;
  private overlay: Overlay = "";
  /** How many layouts are under way. */
  private layouts = 0;

  constructor(
    private readonly data: PageData,
    worker: string,
  ) {
    const layout = new Layout(worker);
    this.networks = data.networks.map((network, side) => new Network(network, side));
    this.panel = new Panel(byId("panel"), this, data.comparison, (paths) => this.show(paths));
    const hosts = this.networks.map((_, index) => h("div", { class: "pane", id: `picture-${index}` }));
    byId("pictures").append(...hosts);
    this.panes = this.networks.map((network, index) => new Pane(network, hosts[index], layout, this));
    this.tables = this.networks.map((network) => {
      const host = h("div", { class: "table" });
      byId("tables").append(host);
      return new Table(network, host, this);
    });
    this.search = new Search(
      this.networks,
      (place) => this.select(place),
      (places) => this.panes.forEach((pane) => pane.highlight(places)),
    );
    printWhole(this.panes, () => this.paint());
    const partners = Object.entries(data.comparison?.partners ?? {});
    for (const [left] of partners) this.backwards[left] = null; // what has this path on the right is another operation
    for (const [left, right] of partners) if (right !== null) this.backwards[right] = left;
  }

  async start(): Promise<void> {
    this.title();
    this.controls();
    this.keys();
    for (const network of this.networks) network.unfold(this.data.depth ?? firstDepth(network));
    if (!this.data.depth) this.revealChanges();
    const linked = this.linked();
    if (linked) linked.network.reveal(linked);
    await this.redraw();
    this.panes.forEach((pane) => pane.view.fit(true));
    this.select(linked);
    addEventListener("hashchange", () => this.select(this.linked()));
    document.documentElement.dataset.ready = "true";
    performance.mark("drawn");
  }

  private title(): void {
    const names = this.networks.map(({ data }) => data.name).join(" \u2192 ");
    document.title = names;
    byId("name").textContent = names;
    const costs = [
      ["params", "parameters"],
      ["macs", "MACs"],
    ] as ["params" | "macs", string][];
    byId("summary").textContent = costs
      .map(([key, name]) => `${this.networks.map(({ root }) => human(root.node[key])).join(" \u2192 ")} ${name}`)
      .join(" \u00b7 ");
  }

  /** The place that the page's address names. */
  private linked(): Place | null {
    const path = decoded(location.hash.slice(1));
    const place = this.networks.map((network) => network.find(path)).find((found) => found?.parent) ?? null;
    if (path && !place) this.say(`The address names ${shorten(path, LONGEST)}, which this network does not have.`);
    return place;
  }

  // What the picture, the table and the panel ask for

  select(place: Place | null, from?: "picture" | "table"): void {
    if (place && !place.parent) place = null;
    this.selected = place;
    const shown = [place, place && this.partner(place)].filter((each) => each !== null);
    const opened = shown.map((each) => this.affords(each) && each.network.reveal(each)).some(Boolean);
    if (opened) void this.redraw().then(() => this.mark(from));
    else this.mark(from);
  }

  private mark(from?: "picture" | "table"): void {
    const place = this.selected;
    this.networks.forEach((network, index) => {
      const own = place && (place.network === network ? place : this.partner(place));
      this.panes[index].mark(own);
      this.tables[index].mark(own);
      if (own && (own !== place || from !== "picture")) this.panes[index].reveal(own);
    });
    this.panel.show(place?.network ?? this.networks[0], place);
    try {
      history.replaceState(
        null,
        "",
        place ? `#${encodeURIComponent(place.path)}` : location.pathname + location.search,
      );
    } catch {
      // a frame without an address of its own
    }
  }

  /** The same operation in the other network of a comparison. */
  private partner(place: Place): Place | null {
    const { comparison } = this.data;
    if (!comparison) return null;
    const { path, network } = place;
    const partners = network.side === 0 ? comparison.partners : this.backwards;
    const other = path in partners ? partners[path] : path;
    return other === null ? null : this.networks[1 - network.side].find(other);
  }

  /** Opens what changed, as far as a picture has room, and the same modules on both sides. */
  private revealChanges(): void {
    for (const network of this.networks) {
      for (const path of Object.keys(network.data.changes ?? {})) {
        const place = network.find(path);
        if (place && shown(network) < FEW) network.reveal(place);
      }
    }
    for (const network of this.networks) {
      for (const place of network.root.visible()) {
        const partner = place.open ? this.partner(place) : null;
        if (partner?.isModule) partner.open = true;
      }
    }
  }

  /** Shows the first operation that a change is about. */
  private show([left, right]: [string[], string[]]): void {
    const place = right.length ? this.networks[1].find(right[0]) : this.networks[0].find(left[0]);
    if (place) this.select(place);
  }

  toggle(place: Place): void {
    if (!place.isModule || !place.parent) return;
    if (!place.open && shown(place.network) + place.children.length > MOST) return this.refuse();
    place.open = !place.open;
    const partner = this.partner(place);
    if (partner?.isModule) partner.open = place.open;
    void this.redraw(place, partner);
  }

  private affords(place: Place): boolean {
    const closed = [...place.ancestors()].filter((around) => !around.open);
    const more = closed.reduce((sum, around) => sum + around.children.length, 0);
    if (shown(place.network) + more <= MOST) return true;
    this.refuse();
    return false;
  }

  private refuse(): void {
    this.say(`A picture has at most ${exact(MOST)} boxes. Fold something first.`);
  }

  private say(text: string): void {
    const notice = byId("notice");
    notice.textContent = text;
    notice.classList.add("seen");
    setTimeout(() => notice.classList.remove("seen"), 5000);
  }

  /** Draws again; what is `held` keeps its place on the screen. */
  private async redraw(...held: (Place | null)[]): Promise<void> {
    this.wait(1);
    await Promise.all(
      this.panes.map((pane) => pane.redraw(held.find((place) => place?.network === pane.network) ?? null)),
    ).finally(() => this.wait(-1));
    this.tables.forEach((table) => table.redraw());
    this.paint();
    this.mark(this.selected ? "picture" : undefined);
  }

  /** Says that a layout is under way, while there are any. */
  private wait(more: number): void {
    this.layouts += more;
    const boxes = this.networks.reduce((sum, network) => sum + shown(network) - 1, 0);
    byId("busy").textContent = this.layouts ? `Arranging ${exact(boxes)} boxes\u2026` : "";
    byId("busy").classList.toggle("seen", this.layouts > 0);
  }

  private paint(): void {
    this.panes.forEach((pane) => pane.paint(this.overlay));
    const shown = this.overlay
      ? [legend(this.overlay, this.networks[0].root)]
      : this.data.comparison
        ? [statuses()]
        : [];
    byId("legend").replaceChildren(...shown);
  }

  // Controls

  private controls(): void {
    const views = () => this.panes.map(({ view }) => view);
    const actions: Record<string, () => void> = {
      "zoom-in": () => views().forEach((view) => view.zoom(1.3)),
      "zoom-out": () => views().forEach((view) => view.zoom(1 / 1.3)),
      fit: () => views().forEach((view) => view.fit()),
      theme: () => this.theme(),
      save: () => this.panes.forEach((pane) => save(pane)),
      print: () => print(),
      help: () => byId<HTMLDialogElement>("help-text").showModal(),
    };
    for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
    byId("overlay").addEventListener("change", (event) => {
      this.overlay = (event.target as HTMLSelectElement).value as Overlay;
      this.paint();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.depths();
    for (const side of ["table", "panel"]) {
      byId(`show-${side}`).addEventListener("click", (event) => {
        const hidden = document.body.classList.toggle(`no-${side}`);
        (event.currentTarget as Element).setAttribute("aria-pressed", String(!hidden));
      });
    }
  }

  private depths(): void {
    const select = byId<HTMLSelectElement>("depth");
    const deepest = Math.max(...this.networks.map((network) => network.deepest));
    for (let depth = 1; depth <= deepest; depth++) {
      const boxes = Math.max(...this.networks.map((network) => network.count(depth)));
      const name = depth === deepest ? "all" : String(depth);
      select.append(
        h("option", { value: depth, disabled: boxes > MOST }, boxes > MOST ? `${name} (${exact(boxes)} boxes)` : name),
      );
    }
    select.addEventListener("change", () => {
      if (!select.value) return;
      this.networks.forEach((network) => network.unfold(Number(select.value)));
      select.value = "";
      if (this.selected && ![...this.selected.ancestors()].every((around) => around.open)) this.selected = null;
      void this.redraw().then(() => this.panes.forEach((pane) => pane.view.fit(true)));
    });
  }

  private theme(): void {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    this.paint();
  }

  // Keys

  private keys(): void {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.closest("input, select, dialog")) return;
      // While nothing has the focus, as when the page has just opened, the first picture takes the keys.
      const at = target === document.body ? this.panes[0].host : target;
      if (this.anywhere(event.key) || (at.closest(".pane, tbody") && this.within(event, at))) event.preventDefault();
    });
  }

  private anywhere(key: string): boolean {
    const buttons: Record<string, string> = {
      "+": "zoom-in",
      "=": "zoom-in",
      "-": "zoom-out",
      "0": "fit",
      "?": "help",
    };
    if (buttons[key]) byId(buttons[key]).click();
    else if (key === "/") this.search.focus();
    else if (key === "Escape") this.select(null);
    else return false;
    return true;
  }

  /** Arrows walk along what is open, as in any tree; with Shift they move the picture. */
  private within(event: KeyboardEvent, target: HTMLElement): boolean {
    const pane = this.panes.find(({ host }) => host === target);
    const index = pane
      ? this.panes.indexOf(pane)
      : this.tables.findIndex((_, number) => byId("tables").children[number].contains(target));
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [60, 0],
      ArrowRight: [-60, 0],
      ArrowUp: [0, 60],
      ArrowDown: [0, -60],
    };
    if (event.shiftKey && steps[event.key]) {
      this.panes[index].view.pan(...steps[event.key]);
      return true;
    }
    const network = this.networks[index];
    const places = [...network.root.visible()].slice(1);
    const at = this.selected?.network === network ? places.indexOf(this.selected) : -1;
    const place = places[at] as Place | undefined;
    if ((event.key === "Enter" || event.key === " ") && place) this.toggle(place);
    else if (!this.walk(event.key, places, at)) return false;
    if (!pane) this.tables[index].mark(this.selected, true);
    return true;
  }

  private walk(key: string, places: Place[], at: number): boolean {
    const place = places[at] as Place | undefined;
    if (key === "ArrowDown") this.select(places[Math.min(places.length - 1, at + 1)]);
    else if (key === "ArrowUp") this.select(places[Math.max(0, at - 1)]);
    else if (key === "Home") this.select(places[0]);
    else if (key === "End") this.select(places.at(-1)!);
    else if (key === "ArrowRight" && place)
      place.isModule && !place.open ? this.toggle(place) : place.isModule && this.select(place.children[0]);
    else if (key === "ArrowLeft" && place)
      place.open ? this.toggle(place) : place.parent?.parent && this.select(place.parent);
    else return false;
    return true;
  }
}

/** The greatest depth that begins with a few boxes. */
function firstDepth(network: Network): number {
  let depth = 1;
  while (depth < network.deepest && network.count(depth + 1) <= FIRST) depth++;
  return depth;
}

function shown(network: Network): number {
  let count = 0;
  for (const _ of network.root.visible()) count++;
  return count;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The layout's script, which the page holds compressed. */
async function unpacked(id: string): Promise<string> {
  const packed = Uint8Array.from(atob(byId(id).textContent!.trim()), (character) => character.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function main(): Promise<void> {
  const data = JSON.parse(byId("data").textContent!) as PageData;
  await new Explorer(data, await unpacked("worker")).start();
}

void main();
