// The text of the spec: CodeMirror, with what the server says put into it.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { diff } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, EditorState, type Extension, Prec, type TransactionSpec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  hoverTooltip,
  keymap,
  lineNumbers,
  rectangularSelection,
  type ViewUpdate,
} from "@codemirror/view";

import { completed, hovered } from "./answers";
import type { Connection } from "./connection";
import { marks, setMarks } from "./marks";
import type { Result } from "./messages";
import { diagnostics, type Ways } from "./problems";
import { colours, spec } from "./yaml";

/** What a person does in the editor. */
export interface Typed {
  /** The text has changed, `byHand` unless the file did. */
  changed(byHand: boolean): void;
  moved(): void;
  define(at: number): void;
  mend(at: number): void;
}

/** Marks a change that comes from the file. */
const follows = Annotation.define<boolean>();
/** Lets CodeMirror's own styles in, past the page's policy. */
const nonce = (): string => document.querySelector<HTMLMetaElement>('meta[name="nonce"]')!.content;

/** What every view of code on this page has. */
export const code = (): Extension => [
  EditorView.cspNonce.of(nonce()),
  lineNumbers(),
  foldGutter(),
  drawSelection(),
  highlightSelectionMatches(),
  search({ top: true }),
  colours,
  keymap.of([...searchKeymap, ...foldKeymap]),
];

/** The fewest changes that make `after` of `before`: what they do not touch stays where it is. */
export function changes(before: string, after: string): { from: number; to: number; insert: string }[] {
  return diff(before, after, { scanLimit: 500 }).map(({ fromA, toA, fromB, toB }) => ({
    from: fromA,
    to: toA,
    insert: after.slice(fromB, toB),
  }));
}

export class Editor {
  readonly view: EditorView;

  constructor(
    host: HTMLElement,
    private readonly connection: Connection,
    private readonly ways: Ways,
    private readonly typed: Typed,
  ) {
    this.view = new EditorView({ parent: host, state: this.state("") });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  get cursor(): number {
    return this.view.state.selection.main.head;
  }

  /** Another spec, with a history of its own. */
  open(text: string): void {
    this.view.setState(this.state(text));
    this.view.scrollDOM.scrollTop = 0;
  }

  /** Takes the text of the file; the cursor and the scroll stay where they are. */
  follow(text: string): void {
    this.view.dispatch({
      changes: changes(this.text, text),
      annotations: [follows.of(true), isolateHistory.of("full")],
      effects: this.view.scrollSnapshot(),
    });
  }

  /** Changes the text as a person would. */
  change(parts: { from: number; to: number; insert: string }[]): void {
    this.view.dispatch({ changes: parts, userEvent: "input.mend" });
    this.view.focus();
  }

  /** Shows what the compiler says of exactly this text. */
  show(result: Result): void {
    const { state } = this.view;
    this.view.dispatch(setDiagnostics(state, diagnostics(state, result.problems, this.ways)), this.marked(result));
  }

  /** Shows other hints for the same text. */
  hint(result: Result): void {
    this.view.dispatch(this.marked(result));
  }

  reveal(from: number, to = from, focus = true): void {
    const { length } = this.view.state.doc;
    const selection = { anchor: Math.min(from, length), head: Math.min(to, length) };
    this.view.dispatch({ selection, effects: EditorView.scrollIntoView(selection.anchor, { y: "center" }) });
    if (focus) this.view.focus();
  }

  private marked(result: Result): TransactionSpec {
    return { effects: setMarks.of({ ...result, ways: this.ways }) };
  }

  private state(text: string): EditorState {
    return EditorState.create({
      doc: text,
      extensions: [
        code(),
        spec,
        this.keys(),
        lintGutter(),
        history(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        rectangularSelection(),
        indentUnit.of("  "),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ override: [completed(this.connection)], activateOnTypingDelay: 60 }),
        hoverTooltip(hovered(this.connection), { hoverTime: 350 }),
        marks,
        EditorView.contentAttributes.of({ "aria-label": "Spec", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => this.updated(update)),
        EditorView.domEventHandlers({ mousedown: (event) => this.pressed(event) }),
      ],
    });
  }

  private keys(): Extension {
    const at = (act: (at: number) => void) => () => (act(this.cursor), true);
    return [
      Prec.high(
        keymap.of([
          { key: "F12", run: at((place) => this.typed.define(place)) },
          { key: "Mod-.", run: at((place) => this.typed.mend(place)) },
        ]),
      ),
      keymap.of([
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...lintKeymap,
        ...historyKeymap,
        ...defaultKeymap,
        indentWithTab,
      ]),
    ];
  }

  private updated({ docChanged, selectionSet, transactions }: ViewUpdate): void {
    if (docChanged) this.typed.changed(!transactions.some((each) => each.annotation(follows)));
    if (docChanged || selectionSet) this.typed.moved();
  }

  /** Ctrl and a click: to the definition. */
  private pressed(event: MouseEvent): boolean {
    if (!(event.ctrlKey || event.metaKey) || event.button !== 0) return false;
    const at = this.view.posAtCoords({ x: event.clientX, y: event.clientY });
    if (at === null) return false;
    this.typed.define(at);
    return true;
  }
}
