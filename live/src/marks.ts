// What the compiler says, put into the text: shapes behind steps, costs above blocks, messages behind lines.

import { type EditorState, type Extension, type Range, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";

import { h } from "../../explorer/src/html";
import type { Hint, Lens, Problem } from "./messages";
import { ticked } from "./markdown";
import { jump, mends, type Ways } from "./problems";

export interface Marks {
  hints: Hint[];
  lenses: Lens[];
  problems: Problem[];
  ways: Ways;
}

/** The most uses that the line above a block names. */
const USES = 3;

class HintMark extends WidgetType {
  constructor(private readonly hint: Hint) {
    super();
  }

  override eq({ hint }: HintMark): boolean {
    return hint.text === this.hint.text && hint.tooltip === this.hint.tooltip;
  }

  toDOM(): HTMLElement {
    return h("span", { class: "hint", title: this.hint.tooltip }, this.hint.text);
  }
}

/** A line above a block: its costs, and a way to each of its uses. */
class LensMark extends WidgetType {
  constructor(
    private readonly lens: Lens,
    private readonly indent: string,
    private readonly ways: Ways,
  ) {
    super();
  }

  override eq({ lens, indent }: LensMark): boolean {
    return indent === this.indent && JSON.stringify(lens) === JSON.stringify(this.lens);
  }

  override get estimatedHeight(): number {
    return 18;
  }

  toDOM(): HTMLElement {
    const { text, uses } = this.lens;
    const line = h("div", { class: "lens" }, this.indent, text);
    uses.slice(0, USES).forEach((use, index) => line.append(index ? ", " : " \u00b7 used in ", jump(use, this.ways)));
    if (uses.length > USES) line.append(` and ${uses.length - USES} more`);
    return line;
  }
}

/** The first message of a line, behind it, with what mends it. */
class MessageMark extends WidgetType {
  constructor(
    private readonly problem: Problem,
    private readonly ways: Ways,
  ) {
    super();
  }

  override eq({ problem }: MessageMark): boolean {
    return problem === this.problem;
  }

  toDOM(): HTMLElement {
    const { severity, message } = this.problem;
    // Screen readers find the message in the list of errors, and at the mark of the line.
    const text = h("span", { "aria-hidden": "true" }, ...ticked(message));
    return h("span", { class: `message ${severity}` }, text, mends(this.problem, this.ways, 1));
  }
}

function decorations({ doc }: EditorState, { hints, lenses, problems, ways }: Marks): DecorationSet {
  const inside = (at: number) => Math.min(at, doc.length);
  const widget = (mark: WidgetType, at: number, side: number, block = false): Range<Decoration> =>
    Decoration.widget({ widget: mark, side, block }).range(at);
  const found = hints.map((hint) => widget(new HintMark(hint), inside(hint.at), 1));
  for (const lens of lenses) {
    const line = doc.lineAt(inside(lens.place.start));
    found.push(widget(new LensMark(lens, /^ */.exec(line.text)![0], ways), line.from, -1, true));
  }
  const told = new Map<number, Problem>();
  for (const problem of problems) {
    if (!problem.place || problem.place.spec) continue;
    const { to } = doc.lineAt(inside(problem.place.start));
    if (!told.has(to)) told.set(to, problem);
  }
  for (const [to, problem] of told) found.push(widget(new MessageMark(problem, ways), to, 2));
  return Decoration.set(found, true);
}

export const setMarks = StateEffect.define<Marks>();

export const marks: Extension = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(before, { changes, effects, state }) {
    const told = effects.find((effect) => effect.is(setMarks));
    return told ? decorations(state, told.value as Marks) : before.map(changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});
