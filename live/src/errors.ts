// The list of what is wrong with the text.

import { h } from "../../explorer/src/html";
import type { Problem } from "./messages";
import { Pane } from "./pane";
import { told, type Ways } from "./problems";

/** The most that are listed: the others come when these are mended. */
const MOST = 50;

export class ErrorsPane extends Pane {
  constructor(private readonly ways: Ways) {
    super("errors", "Errors");
    this.clear();
  }

  clear(): void {
    this.show([]);
  }

  show(problems: Problem[]): void {
    const items = problems.slice(0, MOST).map((problem) => h("li", {}, told(problem, this.ways)));
    if (problems.length > MOST) items.push(h("li", {}, `\u2026 and ${problems.length - MOST} more`));
    const shown = items.length ? h("ul", { class: "problems" }, ...items) : h("p", { class: "same" }, "No errors.");
    this.body.replaceChildren(shown);
  }
}
