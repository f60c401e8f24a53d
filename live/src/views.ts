// The panes: which are seen, what the server has to make for them, and whether what they show is of this text.

import { byId } from "../../explorer/src/html";
import type { PaneId, Shown } from "./address";
import { type Actions as FigureActions, FigurePane } from "./figure";
import { ErrorsPane } from "./errors";
import { Frames, type Panes } from "./frames";
import type { PaneName, Place, Renewed, Result, Show, Unmade } from "./messages";
import type { Ways } from "./problems";
import { DiffPane, SourcePane } from "./source";
import { type Actions as TableActions, TablePane } from "./table";

export interface Actions extends Ways, TableActions, FigureActions {
  panes(ids: PaneId[]): void;
  copy(text: string): void;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Views {
  private readonly table: TablePane;
  private readonly figure: FigurePane;
  private readonly source: SourcePane;
  private readonly diff = new DiffPane();
  private readonly errors: ErrorsPane;
  private readonly frames: Frames;
  /** The panes that show a network. */
  private readonly good = new Set<PaneName>();
  private visible: PaneId[] = [];
  private cursor = 0;
  private isSound = false;

  constructor(shown: Shown, actions: Actions, changed: () => void) {
    this.table = new TablePane(shown.depth, actions);
    this.figure = new FigurePane(shown, actions);
    this.source = new SourcePane((text) => actions.copy(text));
    this.errors = new ErrorsPane(actions);
    this.frames = new Frames(byId("frames"), this.panes, (ids) => actions.panes(ids));
    dark.addEventListener("change", changed);
  }

  private get panes(): Panes {
    const { table, figure, source, diff, errors } = this;
    return { table, figure, source, diff, errors };
  }

  apply(shown: Shown, before: Shown | null): void {
    this.visible = shown.panes.map((id) => (id === "spec" ? "table" : id));
    this.frames.show(shown.panes);
    this.figure.options(shown);
    if (before && before.depth !== shown.depth) this.table.unfold(shown.depth);
    if (this.shows("figure")) this.figure.appeared();
    this.mark();
  }

  shows(id: PaneId): boolean {
    return this.visible.includes(id);
  }

  /** What the server has to make. A figure needs the table: it tells where its boxes come from. */
  wanted({ style, levels, color, theme }: Shown): Show {
    const seen = theme || (dark.matches ? "dark" : "light");
    const figure = { style, depth: levels || null, color, theme: seen } as const;
    return {
      type: "show",
      table: this.shows("table") || this.shows("figure") ? {} : null,
      figure: this.shows("figure") ? figure : null,
      source: this.shows("source") ? {} : null,
      diff: this.shows("diff") ? {} : null,
    };
  }

  /** Another spec comes. */
  clear(): void {
    this.good.clear();
    for (const pane of Object.values(this.panes)) {
      pane.clear();
      pane.outdated("");
    }
    this.frames.badge("errors", "", false);
  }

  /** What the compiler says: without a network, the panes go on showing the last one. */
  result({ is_sound, problems }: Result): void {
    this.errors.show(problems);
    const errors = problems.filter(({ severity }) => severity === "error").length;
    this.frames.badge("errors", problems.length ? String(problems.length) : "", errors > 0);
    const [why, which] = errors === 1 ? ["an error", "one"] : [`${errors} errors`, "any"];
    this.isSound = is_sound;
    const note = is_sound ? "" : `The spec has ${why}. This is the last network without ${which}.`;
    for (const name of this.good) this.panes[name].outdated(note);
  }

  renewed(message: Renewed): void {
    const { type } = message;
    if (message.type === "table" && !message.is_complete) {
      if (this.good.has("table")) return;
      this.table.outdated("The spec has an error. These are the rows before it.");
    } else {
      this.good.add(type);
      this.panes[type].outdated("");
    }
    if (message.type === "table") this.table.show(message);
    else if (message.type === "figure") this.figure.show(message);
    else if (message.type === "source") this.source.show(message);
    else this.diff.show(message);
    this.mark();
  }

  unmade({ pane, message }: Unmade): void {
    if (!this.good.has(pane)) this.panes[pane].outdated(`There is nothing to show: ${message}.`);
    else if (this.isSound) this.panes[pane].outdated(`This is not of the text as it is now: ${message}.`);
  }

  compare(what: string, before: string, after: string): void {
    if (this.shows("diff")) this.diff.compare(what, before, after);
  }

  /** The cursor is at an offset: its step is marked in the panes. */
  at(offset: number): void {
    this.cursor = offset;
    this.mark();
  }

  /** Where the step of a path is, or that of the innermost module around it. */
  place(path: string): Place | null {
    for (let at = path; at; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
      const place = this.table.place(at);
      if (place) return place;
    }
    return null;
  }

  private mark(): void {
    this.figure.mark(this.table.at(this.cursor));
  }
}
