// What the page and the server tell each other. cnndsl/serve/messages.py says what each of these means.

export type PaneName = "table" | "figure" | "source" | "diff";

export interface Place {
  start: number;
  end: number;
  line: number;
  column: number;
  spec: string;
}

// From the page

export interface FigureView {
  style: string;
  depth?: number | null;
  theme: "light" | "dark";
  color: string;
  rankdir?: "TB" | "LR";
}

export interface Show {
  type: "show";
  table: object | null;
  figure: FigureView | null;
  source: object | null;
  diff: object | null;
}

export interface Question {
  what: "complete" | "hover" | "fixes" | "definition" | "references" | "format" | "explain" | "specs";
  at?: number;
  end?: number;
  code?: string;
}

export type Request =
  | { type: "open"; spec: string }
  | { type: "change"; version: number; text: string }
  | { type: "cursor"; at: number }
  | Show
  | ({ type: "ask"; id: number } & Question)
  | { type: "save"; spec: string; text: string; version: number; base: string };

// From the server

export interface Zoo {
  name: string;
  family: string;
  source: string;
}

export interface Welcome {
  type: "welcome";
  key: string;
  spec: string;
  project: string;
  release: string;
  limit: number;
  columns: { name: string; meaning: string }[];
}

export interface Listing {
  type: "listing";
  id: number;
  project: string[];
  zoo: Zoo[];
  whole: boolean;
}

export interface File {
  type: "file";
  spec: string;
  text: string;
  digest: string;
  is_writable: boolean;
}

export interface Outside {
  type: "outside";
  spec: string;
  text: string;
  digest: string;
  problem: string;
}

export interface Problem {
  code: string;
  severity: "error" | "warning";
  message: string;
  place: Place | null;
  help: string;
  notes: { message: string; place: Place | null }[];
  trail: string[];
}

export interface Hint {
  at: number;
  text: string;
  tooltip: string;
}

export interface Hints {
  type: "hints";
  version: number;
  hints: Hint[];
}

export interface Lens {
  place: Place;
  text: string;
  uses: Place[];
}

export interface Totals {
  name: string;
  params: string;
  macs: string;
  signature: string;
}

export interface Result {
  type: "result";
  version: number;
  is_sound: boolean;
  problems: Problem[];
  hints: Hint[];
  lenses: Lens[];
  folds: Place[];
  totals: Totals | null;
  stale: boolean;
}

export interface Cell {
  lines: string[];
  share: number;
}

export interface TableRow {
  /** The path of the operation, such as `layer1.0.conv1`. */
  path: string;
  cells: Cell[];
  depth: number;
  is_parent: boolean;
  is_failed: boolean;
  place: Place | null;
}

export interface Table {
  type: "table";
  version: number;
  title: string;
  summary: string[];
  headings: { name: string; text: string; is_right: boolean; is_long: boolean }[];
  rows: TableRow[];
  feet: string[][];
  is_complete: boolean;
}

export interface Figure {
  type: "figure";
  version: number;
  svg: string;
  told: string;
}

export interface Source {
  type: "source";
  version: number;
  python: string;
}

export interface Changed {
  sign: string;
  title: string;
  details: string[];
  params: string;
}

export interface Diff {
  type: "diff";
  version: number;
  changes: Changed[];
  explained: Changed[];
  consequences: string;
  figures: string[][];
  notes: string[];
  svg: string;
}

export interface Unmade {
  type: "unmade";
  version: number;
  pane: PaneName;
  message: string;
}

export interface Saved {
  type: "saved";
  spec: string;
  version: number;
  digest: string;
}

export interface Completion {
  label: string;
  /** What is compared with the text that is there, "" for the label. */
  filter: string;
  kind: string;
  start: number;
  end: number;
  snippet: string;
  detail: string;
  markdown: string;
  rank: number;
}

export interface Completions {
  type: "completions";
  id: number;
  version: number;
  items: Completion[];
}

export interface Hovered {
  type: "hovered";
  id: number;
  version: number;
  place: Place | null;
  markdown: string;
}

export interface Fix {
  title: string;
  edits: { place: Place; text: string }[];
  is_preferred: boolean;
}

export interface Fixes {
  type: "fixes";
  id: number;
  version: number;
  fixes: Fix[];
}

export interface Places {
  type: "places";
  id: number;
  version: number;
  places: Place[];
}

export interface Formatted {
  type: "formatted";
  id: number;
  version: number;
  text: string;
}

export interface Refused {
  type: "refused";
  about: string;
  code: string;
  message: string;
  help: string;
  id: number;
  digest: string;
}

export type Answer = Listing | Completions | Hovered | Fixes | Places | Formatted;
export type Renewed = Table | Figure | Source | Diff;
export type Told = Welcome | File | Outside | Result | Hints | Renewed | Unmade | Saved | Refused | Answer;
