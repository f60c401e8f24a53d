// The source in PyTorch, and what differs from the saved spec: code that is only read.

import { python } from "@codemirror/lang-python";
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

import { h } from "../../explorer/src/html";
import { changes, code } from "./editor";
import type { Changed, Diff, Source } from "./messages";
import { Pane } from "./pane";
import { spec } from "./yaml";

const readOnly = (label: string): Extension => [
  code(),
  EditorState.readOnly.of(true),
  EditorView.contentAttributes.of({ "aria-label": label }),
];

export class SourcePane extends Pane {
  private readonly view: EditorView;

  constructor(copied: (text: string) => void) {
    super("source", "Source");
    const state = EditorState.create({ extensions: [readOnly("Source in PyTorch"), python()] });
    this.view = new EditorView({ parent: this.body, state });
    const copy = () => copied(this.view.state.doc.toString());
    this.tools.append(h("button", { type: "button", title: "Copy the source", click: copy }, "Copy"));
  }

  clear(): void {
    this.show({ python: "" });
  }

  show({ python: text }: Pick<Source, "python">): void {
    const { state } = this.view;
    this.view.dispatch({ changes: changes(state.doc.toString(), text), effects: this.view.scrollSnapshot() });
  }
}

export class DiffPane extends Pane {
  private readonly network = h("div", { class: "network-diff" });
  private readonly heading = h("h2");
  private readonly text = h("div", { class: "text-diff" });
  private view: EditorView | null = null;
  private before = "";
  private after = "";

  constructor() {
    super("diff", "Diff");
    this.body.append(this.network, this.heading, this.text);
  }

  clear(): void {
    this.network.replaceChildren();
  }

  /** What differs between the networks. */
  show({ changes: own, explained, consequences, figures, notes }: Diff): void {
    if (!own.length && !explained.length) {
      this.network.replaceChildren(h("p", { class: "same" }, "The networks are equal."));
      return;
    }
    this.network.replaceChildren(
      list("", own),
      list("What follows from that", explained),
      ...(consequences ? [h("p", {}, consequences)] : []),
      ...notes.map((note) => h("p", { class: "note" }, note)),
      h("table", {}, ...figures.map(figureRow)),
    );
  }

  /** What differs between the texts. */
  compare(what: string, before: string, after: string): void {
    this.heading.textContent =
      before === after ? `The text does not differ from ${what}.` : `The text, against ${what}`;
    if (before === this.before && after === this.after) return;
    [this.before, this.after] = [before, after];
    const scroll = this.body.scrollTop;
    this.view?.destroy();
    this.view = null;
    if (before === after) return;
    const merge = unifiedMergeView({
      original: before,
      mergeControls: false,
      collapseUnchanged: { margin: 3, minSize: 6 },
    });
    const state = EditorState.create({ doc: after, extensions: [readOnly("What differs in the text"), spec, merge] });
    this.view = new EditorView({ parent: this.text, state });
    this.body.scrollTop = scroll;
  }
}

const SIGNS: Record<string, string> = { "+": "added", "-": "removed", ">": "moved", "~": "changed" };

function list(title: string, all: Changed[]): HTMLElement {
  const items = all.map(({ sign, title, details, params }) =>
    h(
      "li",
      { class: SIGNS[sign] ?? "" },
      h("span", { class: "sign", title: SIGNS[sign] ?? "" }, sign === "-" ? "\u2212" : sign),
      h(
        "div",
        {},
        h("b", {}, title),
        ...(params ? [" ", h("span", { class: "params" }, params)] : []),
        ...details.map((detail) => h("div", { class: "detail" }, detail)),
      ),
    ),
  );
  const head = title && all.length ? [h("h2", {}, title)] : [];
  return h("div", {}, ...head, h("ul", { class: "changes" }, ...items));
}

const figureRow = (cells: string[]): HTMLElement =>
  h("tr", {}, ...cells.map((text, index) => h(index ? "td" : "th", index ? {} : { scope: "row" }, text)));
