// How a spec looks: YAML, in which layers, blocks and expressions have colours of their own.

import { getIndentUnit, HighlightStyle, indentService, syntaxHighlighting } from "@codemirror/language";
import { yaml } from "@codemirror/lang-yaml";
import { RangeSetBuilder, type Extension } from "@codemirror/state";
import { Decoration, type DecorationSet, type EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** Colours of code, in specs and in Python. */
export const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: [tags.comment, tags.lineComment], class: "code-comment" },
    { tag: [tags.definition(tags.propertyName), tags.propertyName], class: "code-key" },
    { tag: [tags.keyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword], class: "code-keyword" },
    { tag: [tags.string, tags.special(tags.string), tags.docString], class: "code-string" },
    { tag: [tags.number, tags.bool, tags.null], class: "code-number" },
    { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], class: "code-function" },
    { tag: [tags.className, tags.typeName, tags.definition(tags.className)], class: "code-layer" },
    { tag: [tags.punctuation, tags.separator, tags.bracket, tags.squareBracket, tags.brace], class: "code-sign" },
  ]),
);

const LAYER = /(?<![\w$./-])[A-Z]\w*[a-z]\w*(?=\s*(?:[:,\]})(]|$|#))/gm;
const NAME = /\$[A-Za-z_]\w*/gm;
const marks = { layer: Decoration.mark({ class: "code-layer" }), value: Decoration.mark({ class: "code-value" }) };

type Found = { from: number; to: number; mark: Decoration };

/** The place behind the bracket that closes the one at `from`, or the end of the line. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\n") return at;
    if ("([{".includes(text[at])) depth++;
    if (")]}".includes(text[at]) && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Layers, blocks and expressions of a text, in order, none inside another. In a comment the style does not show them. */
export function words(text: string): Found[] {
  const values = [...text.matchAll(NAME)].map(({ index, 0: { length } }) => [index, index + length]);
  for (let at = text.indexOf("$("); at >= 0; at = text.indexOf("$(", at + 2)) values.push([at, closing(text, at + 1)]);
  values.sort(([one], [other]) => one - other);
  const found: Found[] = [];
  for (const [from, to] of values) if (from >= (found.at(-1)?.to ?? 0)) found.push({ from, to, mark: marks.value });
  const outside = (at: number) => !found.some(({ from, to }) => from <= at && at < to);
  const layers = [...text.matchAll(LAYER)].filter(({ index }) => outside(index));
  found.push(...layers.map(({ index, 0: { length } }) => ({ from: index, to: index + length, mark: marks.layer })));
  return found.sort((one, other) => one.from - other.from);
}

function seen(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const { from, to } of view.visibleRanges) {
    for (const word of words(view.state.sliceDoc(from, to))) {
      builder.add(from + word.from, from + word.to, word.mark);
    }
  }
  return builder.finish();
}

const own = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = seen(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged || update.viewportChanged) this.decorations = seen(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

/** How far a new line is indented: like the one before, or deeper if that ends in an open key or bracket. */
const indented = indentService.of((context, at) => {
  const { text } = context.lineAt(at, -1);
  const [, spaces, dash, rest] = /^(\s*)((?:- +)*)(.*?)\s*(?:#.*)?$/.exec(text)!;
  const opened = rest.match(/[[{(]/g)?.length ?? 0;
  const closed = rest.match(/[\])}]/g)?.length ?? 0;
  const deeper = rest.endsWith(":") || opened > closed;
  return spaces.length + (deeper ? dash.length + getIndentUnit(context.state) : 0);
});

export const spec: Extension = [yaml(), own, indented];
