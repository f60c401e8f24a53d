// The data of a page, as cnndsl/explorer/data.py writes it.

export type Shape = number[];

/** Tail, its output, head, its input, and 1 if only the size is read. -1 is the module itself. */
export type Edge = [number, number, number, number, number];

/** What is known of an operation without its place in the network. A module has `children` and `edges`. */
export interface Node {
  title: string;
  arguments: [string, string][];
  /** Name, and shape of a sample. */
  inputs: [string, Shape][];
  outputs: [string, Shape][];
  params: number;
  buffers: number;
  macs: number;
  /** Bytes of the feature maps; none for a view, or what works in place. */
  memory: number;
  /** Source and line. */
  place: [number, number] | null;
  family?: string;
  detail?: string;
  defaults?: [string, string][];
  tensors?: [string, Shape][];
  /** The layer whose weights it uses again. */
  shared?: string;
  /** Neighbours that are one box only because there are so many. */
  group?: boolean;
  children?: [string, number][];
  edges?: Edge[];
}

export interface Source {
  name: string;
  text: string | null;
}

export interface NetworkData {
  name: string;
  description: string;
  root: number;
  nodes: Node[];
  sources: Source[];
  /** The most bytes of activations that live at once, in inference and in training. */
  peak: [number, number];
  /** Receptive fields and effective strides, in words, and which of them each operation has, in the order in which they run. */
  fields: [string, string][];
  field: number[];
  /** In a comparison, what happened to operations, by their paths: a status, and words. */
  changes?: Record<string, [Status, string]>;
}

/** `affected`: it did not change itself, but its shape or its parameters did. */
export type Status = "added" | "removed" | "changed" | "moved" | "affected";

/** A change in words, and the paths that it is about, on both sides. */
export interface Change {
  status: Status;
  text: string;
  left: string[];
  right: string[];
}

export interface Comparison {
  changes: Change[];
  /** For paths on the left, that of the same operation on the right if it differs, null if there is none. */
  partners: Record<string, string | null>;
}

export interface PageData {
  /** One network, or two that are compared. */
  networks: NetworkData[];
  depth: number | null;
  comparison?: Comparison;
}
