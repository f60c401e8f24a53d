// What the page shows, as its address has it, so that a reload, a bookmark and Back bring it again.

export const PANES = ["spec", "table", "figure", "source", "diff", "errors"] as const;
export type PaneId = (typeof PANES)[number];

export interface Shown {
  /** Null is what the server was started with. */
  spec: string | null;
  /** One pane, or two beside each other. */
  panes: PaneId[];
  theme: "" | "light" | "dark";
  /** How deep the table is unfolded, and the figure is drawn; 0 for all. */
  depth: number;
  levels: number;
  style: string;
  color: string;
  /** The part of the window that the editor has, in percent. */
  share: number;
}

export const STYLES = ["compact", "layers", "volumes"];
export const COLORS = ["family", "params", "macs", "memory"];
const FIRST: Shown = {
  spec: null,
  panes: ["table"],
  theme: "",
  depth: 2,
  levels: 0,
  style: "compact",
  color: "family",
  share: 45,
};

const within = (value: string | null, least: number, most: number, other: number): number => {
  const number = Number(value ?? other);
  return Number.isFinite(number) ? Math.min(most, Math.max(least, Math.round(number))) : other;
};
const among = <T extends string>(value: string | null, all: readonly T[], other: T): T =>
  all.includes(value as T) ? (value as T) : other;

/** What a fragment tells; what it does not tell or tells wrongly is as at first. */
export function read(fragment: string): Shown {
  const told = new URLSearchParams(fragment.replace(/^#/, ""));
  const panes = (told.get("panes") ?? "").split(",").filter((name): name is PaneId => PANES.includes(name as PaneId));
  return {
    spec: told.get("spec"),
    panes: panes.length ? [...new Set(panes)].slice(0, 2) : FIRST.panes,
    theme: among(told.get("theme"), ["", "light", "dark"], FIRST.theme),
    depth: within(told.get("depth"), 0, 99, FIRST.depth),
    levels: within(told.get("levels"), 0, 99, FIRST.levels),
    style: among(told.get("style"), STYLES, FIRST.style),
    color: among(told.get("color"), COLORS, FIRST.color),
    share: within(told.get("share"), 15, 85, FIRST.share),
  };
}

export function write(shown: Shown): string {
  const told = Object.entries(shown)
    .filter(([name, value]) => String(value) !== String(FIRST[name as keyof Shown]))
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value)).replace(/%(2F|2C|3A)/g, decodeURIComponent)}`);
  return `#${told.join("&")}`;
}

/** The key that the server has put into the address, which is taken out of it. */
export function key(): string | undefined {
  const told = new URLSearchParams(location.hash.slice(1));
  const found = told.get("key");
  if (found === null) return undefined;
  told.delete("key");
  history.replaceState(null, "", `#${told}`);
  return found;
}
