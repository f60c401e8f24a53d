// Completions and what is told of a word, asked of the server.

import { type Completion, type CompletionContext, type CompletionResult, snippet } from "@codemirror/autocomplete";
import type { EditorView, Tooltip } from "@codemirror/view";

import type { Connection } from "./connection";
import { markdown } from "./markdown";
import type { Completion as Answer, Completions, Hovered } from "./messages";

/** The names that CodeMirror's icons have for our kinds. */
const KINDS: Record<string, string> = {
  layer: "class",
  block: "type",
  word: "keyword",
  argument: "property",
  value: "constant",
  name: "variable",
  parameter: "variable",
  function: "function",
  file: "text",
  key: "property",
};
/** Places to fill as editors' protocols write them, `$1` or `${1:word}`, and their escapes. */
const PLACES = /\\([$}\\])|\$(\d+)|\$\{(\d+)(?::([^}]*))?\}|([{}])/g;

/** A snippet as CodeMirror writes it. */
export function template(text: string): string {
  return text.replace(PLACES, (_, escaped?: string, bare?: string, number?: string, word?: string, brace?: string) => {
    if (brace ?? escaped === "}") return `\\${brace ?? escaped}`;
    if (escaped) return escaped;
    const order = bare ?? number;
    return order === "0" ? "${}" : `\${${order}:${word ?? ""}}`;
  });
}

/** An answer, or null while the server is gone. */
const asked = <T>(answer: Promise<T>): Promise<T | null> => answer.catch(() => null);

function option(item: Answer): Completion {
  const { label, filter, kind, snippet: text, detail, rank } = item;
  return {
    label: filter || label,
    displayLabel: label,
    detail: detail.startsWith(`${label}(`) ? detail.slice(label.length) : detail,
    type: KINDS[kind] ?? "text",
    boost: -Math.min(99, rank),
    info: item.markdown ? () => markdown(item.markdown) : undefined,
    apply: text ? snippet(template(text)) : undefined,
  };
}

export const completed =
  (connection: Connection) =>
  async (context: CompletionContext): Promise<CompletionResult | null> => {
    const items = await asked(
      connection.ask<Completions>({ what: "complete", at: context.pos }).then((told) => told.items),
    );
    if (context.aborted || !items?.length) return null;
    // The words of one list begin at one place; what is typed meanwhile narrows them.
    return { from: items[0].start, options: items.map(option), validFor: /^[\w.:/-]*$/ };
  };

export const hovered =
  (connection: Connection) =>
  async (_: EditorView, at: number): Promise<Tooltip | null> => {
    const told = await asked(connection.ask<Hovered>({ what: "hover", at }));
    if (!told?.place || !told.markdown) return null;
    const { place, markdown: text } = told;
    return { pos: place.start, end: place.end, above: true, create: () => ({ dom: markdown(text) }) };
  };
