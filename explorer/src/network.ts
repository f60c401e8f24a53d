// A network as a tree of places. Nodes are shared by equal parts; a place is one of them.

import type { NetworkData, Node, Status } from "./data";

/** What is only in one of the networks. */
const ONE_SIDED: Status[] = ["added", "removed"];

export class Place {
  open = false;
  private made: Place[] | null = null;

  constructor(
    readonly network: Network,
    readonly number: number,
    readonly name: string,
    readonly parent: Place | null,
    /** Its position among all operations in the order in which they run; -1 is the network. */
    readonly index: number,
  ) {}

  get node(): Node {
    return this.network.data.nodes[this.number];
  }

  get isModule(): boolean {
    return this.node.children !== undefined && this.node.children.length > 0;
  }

  get depth(): number {
    return this.parent ? this.parent.depth + 1 : 0;
  }

  /** Its path in the network; groups are no part of it. */
  get path(): string {
    if (!this.parent) return "";
    let around: Place = this.parent;
    while (around.node.group && around.parent) around = around.parent;
    return around.parent ? `${around.path}.${this.name}` : this.name;
  }

  /** Its children, made when they are first asked for. */
  get children(): Place[] {
    if (!this.made) {
      let index = this.index + (this.node.group ? 0 : 1);
      this.made = (this.node.children ?? []).map(([name, number]) => {
        const place = new Place(this.network, number, name, this, index);
        index += this.network.size(number);
        return place;
      });
    }
    return this.made;
  }

  /** Itself, and what is in modules that are open. */
  *visible(): Generator<Place> {
    yield this;
    if (this.open) for (const child of this.children) yield* child.visible();
  }

  *everything(): Generator<Place> {
    yield this;
    for (const child of this.children) yield* child.everything();
  }

  *ancestors(): Generator<Place> {
    for (let place = this.parent; place; place = place.parent) yield place;
  }
}

export class Network {
  readonly root: Place;
  private sizes = new Map<number, number>();

  private readonly touched = new Map<string, number>();

  /** `side` is its position in a comparison. */
  constructor(
    readonly data: NetworkData,
    readonly side = 0,
  ) {
    for (const path of Object.keys(data.changes ?? {})) {
      for (let end = path.indexOf("."); end >= 0; end = path.indexOf(".", end + 1)) {
        const around = path.slice(0, end);
        this.touched.set(around, (this.touched.get(around) ?? 0) + 1);
      }
    }
    this.root = new Place(this, data.root, data.name, null, -1);
    this.root.open = true;
  }

  /** How many operations a node stands for: itself, if it is not a group, and those inside. */
  size(number: number): number {
    let size = this.sizes.get(number);
    if (size === undefined) {
      const node = this.data.nodes[number];
      size = (node.children ?? []).reduce((sum, [, child]) => sum + this.size(child), node.group ? 0 : 1);
      this.sizes.set(number, size);
    }
    return size;
  }

  /** What happened to a place in a comparison: to itself, or, if it is new or gone, to a module around it. */
  change(place: Place): [Status, string] | null {
    const changes = this.data.changes ?? {};
    if (changes[place.path]) return changes[place.path];
    const around = [...place.ancestors()]
      .map(({ path }) => changes[path])
      .find((change) => change && ONE_SIDED.includes(change[0]));
    return around ?? null;
  }

  /** How many changes are inside a module. */
  changesIn(place: Place): number {
    return place.node.group
      ? place.children.reduce((sum, child) => sum + this.changesAt(child), 0)
      : (this.touched.get(place.path) ?? 0);
  }

  private changesAt(place: Place): number {
    return (this.data.changes?.[place.path] ? 1 : 0) + this.changesIn(place);
  }

  find(path: string): Place | null {
    if (path === "") return this.root;
    let found: Place | null = this.root;
    while (found && found.path !== path) found = this.towards(found, path);
    return found;
  }

  /** The child that leads to a path: one that has it, or the start of it, as its own; or a group with such a child. */
  private towards(place: Place, path: string): Place | null {
    for (const child of place.children) {
      if (child.node.group) {
        if (child.path === path || this.towards(child, path)) return child;
      } else if (path === child.path || path.startsWith(`${child.path}.`)) {
        return child;
      }
    }
    return null;
  }

  /** How many boxes there are if every module above a depth is open. */
  count(depth: number, number = this.data.root): number {
    const children = this.data.nodes[number].children ?? [];
    return depth === 0 ? 1 : children.reduce((sum, [, child]) => sum + this.count(depth - 1, child), 1);
  }

  get deepest(): number {
    const depths = new Map<number, number>();
    const below = (number: number): number => {
      let depth = depths.get(number);
      if (depth === undefined) {
        const children = this.data.nodes[number].children ?? [];
        depth = children.length ? 1 + Math.max(...children.map(([, child]) => below(child))) : 0;
        depths.set(number, depth);
      }
      return depth;
    };
    return below(this.data.root);
  }

  /** Opens every module above a depth and closes the others. */
  unfold(depth: number, place: Place = this.root): void {
    place.open = depth > 0 && place.isModule;
    if (place.open) for (const child of place.children) this.unfold(depth - 1, child);
  }

  /** Opens the modules around a place. */
  reveal(place: Place): boolean {
    let changed = false;
    for (const around of place.ancestors()) {
      changed ||= !around.open;
      around.open = true;
    }
    return changed;
  }
}
