// Diagnostics as people read them, and as CodeMirror marks them.

import type { Diagnostic } from "@codemirror/lint";
import type { EditorState } from "@codemirror/state";

import { h } from "../../explorer/src/html";
import { ticked } from "./markdown";
import type { Fix, Place, Problem } from "./messages";

/** What can be done about a diagnostic. */
export interface Ways {
  /** Goes to a place, of this or of another spec. */
  go(place: Place): void;
  fixes(problem: Problem): Promise<Fix[]>;
  use(fix: Fix): void;
  /** Tells what a code means. */
  explain(code: string): void;
}

const where = ({ spec, line, column }: Place): string => (spec ? `${spec}:${line}:${column}` : `line ${line}`);

export function jump(place: Place, ways: Ways): HTMLElement {
  return h("button", { type: "button", class: "link", click: () => ways.go(place) }, where(place));
}

/** A button for each way to mend it, as soon as the server has told them. */
export function mends(problem: Problem, ways: Ways, most = 9): HTMLElement {
  const found = h("span", { class: "fixes" });
  void ways.fixes(problem).then((fixes) => {
    const buttons = fixes.slice(0, most).map((fix) => {
      const name = fix.is_preferred ? "fix preferred" : "fix";
      return h("button", { type: "button", class: name, click: () => ways.use(fix) }, ...ticked(fix.title));
    });
    found.replaceChildren(...buttons);
  });
  return found;
}

/** The whole of a diagnostic. */
export function told(problem: Problem, ways: Ways): HTMLElement {
  const { code, severity, message, place, help, notes, trail } = problem;
  const about = h(
    "button",
    { type: "button", class: "link code", title: "What it means", click: () => ways.explain(code) },
    code,
  );
  const head = h("div", { class: "problem-head" }, h("b", { class: severity }, severity), " ", about);
  if (place) head.append(" ", jump(place, ways));
  const lines = [
    ...notes.map((note) => noted(note, ways)),
    ...trail.map((text) => h("div", { class: "trail" }, ...ticked(text))),
  ];
  const helped = help ? [h("div", { class: "help" }, ...ticked(help))] : [];
  return h(
    "div",
    { class: "problem" },
    head,
    h("div", { class: "text" }, ...ticked(message)),
    ...lines,
    ...helped,
    mends(problem, ways),
  );
}

function noted({ message, place }: Problem["notes"][number], ways: Ways): HTMLElement {
  return h("div", { class: "note" }, ...ticked(message), ...(place ? [" ", jump(place, ways)] : []));
}

/** The diagnostics of this text, for its marks. */
export function diagnostics(state: EditorState, problems: Problem[], ways: Ways): Diagnostic[] {
  const { length } = state.doc;
  return problems.flatMap((problem) => {
    const { place, severity, message } = problem;
    if (!place || place.spec) return [];
    const [from, to] = [Math.min(place.start, length), Math.min(place.end, length)];
    return [{ from, to, severity, message, renderMessage: () => told(problem, ways) }];
  });
}
