// What every pane beside the editor has: its element, its controls, and a note over what is out of date.

import { h } from "../../explorer/src/html";
import type { PaneId } from "./address";

export abstract class Pane {
  /** Everything of the pane, and the part of it that is scrolled. */
  readonly host: HTMLElement;
  protected readonly body = h("div", { class: "pane-body" });
  private readonly note = h("p", { class: "stale-note", role: "status", hidden: true });
  /** The controls beside the tabs. */
  readonly tools = h("div", { class: "tools" });

  constructor(
    readonly id: PaneId,
    readonly title: string,
  ) {
    this.host = h("div", { class: `pane pane-${id}` }, this.note, this.body);
  }

  /** Shows nothing: another spec comes. */
  abstract clear(): void;

  /** Says that what is shown is not that of the text, and why; "" if it is. */
  outdated(why: string): void {
    this.note.textContent = why;
    this.note.hidden = !why;
    this.host.classList.toggle("stale", why !== "");
  }
}

type Option = [value: string | number, name: string];

/** A labelled choice among the controls of a pane. */
export function choice(
  label: string,
  options: Option[],
  value: string | number,
  chosen: (value: string) => void,
): HTMLSelectElement {
  const select = h("select", {
    "aria-label": label,
    title: label,
    change: (event) => chosen((event.currentTarget as HTMLSelectElement).value),
  }) as HTMLSelectElement;
  select.append(...options.map(([each, name]) => h("option", { value: each }, name)));
  select.value = String(value);
  return select;
}
