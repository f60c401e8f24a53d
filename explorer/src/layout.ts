// Where everything is: each open module is laid out by ELK, alone, once for all equal modules that are open alike.

import ELK, { type ElkExtendedEdge, type ElkLabel, type ElkNode, type ElkPort } from "elkjs/lib/elk-api";

import { type Box, boxes, HEADER, LABEL, measure, moduleTexts } from "./boxes";
import type { Edge, Node } from "./data";
import type { Place } from "./network";
import { shape, shorten } from "./words";

export interface Point {
  x: number;
  y: number;
}

/** A line between boxes. A skip goes past others; of what comes along a `size` line, only the size is read. */
export interface Wire {
  points: Point[];
  kind: "" | "skip" | "size";
  arrow: boolean;
}

export interface Placed {
  box: Box;
  x: number;
  y: number;
  inner: Scene | null;
}

/** A tensor that the network takes or gives. */
export interface End {
  text: string;
  x: number;
  y: number;
  width: number;
}

/** Words beside a line: which input or output it is, or how many tensors it stands for. */
export interface Label {
  text: string;
  x: number;
  y: number;
}

/** An open module: its boxes and wires, and where its inputs and outputs are along its border. */
export interface Scene {
  width: number;
  height: number;
  placed: Placed[];
  wires: Wire[];
  labels: Label[];
  ends: End[];
  inputs: number[];
  outputs: number[];
}

export const END = 24;
/** Above so many edges, only one is drawn between two boxes. */
const CROWDED = 150;
/** Above so many tensors from one box to another, one line stands for all. */
const PARALLEL = 8;
/** What makes something else of its inputs, or a split of its outputs, in another order. */
const ORDERED = ["subtract", "divide", "concat", "split"];
/** The most characters of an input's or output's name, and the height of words beside a line and their distance. */
const NAME = 16;
const WORDS = 12;
const GAP = 4;
const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.separateConnectedComponents": "false",
  "elk.spacing.nodeNode": "24",
  "elk.spacing.edgeNode": "14",
  "elk.spacing.edgeEdge": "9",
  "elk.layered.spacing.nodeNodeBetweenLayers": "20",
  "elk.layered.spacing.edgeNodeBetweenLayers": "12",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.considerModelOrder.longEdgeStrategy": "DUMMY_NODE_UNDER",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.nodePlacement.favorStraightEdges": "true",
  "elk.layered.mergeEdges": "false",
};

export class Layout {
  private readonly elk: InstanceType<typeof ELK>;
  private readonly scenes = new Map<string, Promise<Scene>>();

  constructor(script: string) {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.elk = new ELK({ workerFactory: () => new Worker(address) });
  }

  scene(place: Place): Promise<Scene> {
    const key = `${place.network.side} ${signature(place)}`;
    let scene = this.scenes.get(key);
    if (!scene) this.scenes.set(key, (scene = this.laid(place)));
    return scene;
  }

  private async laid(place: Place): Promise<Scene> {
    const found = boxes(place);
    const inner = await Promise.all(
      found.map(({ members }) => {
        const child = place.children[members[0]];
        return child.open ? this.scene(child) : null;
      }),
    );
    const plan = new Plan(place, found, inner);
    return plan.scene(await this.elk.layout(plan.graph()));
  }
}

/** What decides how a module looks: its node, and which of the modules inside are open. */
function signature(place: Place): string {
  if (!place.open) return String(place.number);
  const open = place.children.map((child, index) => (child.open ? `${index}:${signature(child)}` : ""));
  return `${place.number}${place.parent ? "" : "root"}(${open.filter(Boolean).join(",")})`;
}

/** A line, and how many tensors it stands for. */
interface Line {
  edge: Edge;
  count: number;
}

/** One module as a graph for ELK, and ELK's answer as a scene. */
class Plan {
  private readonly boxOf: number[] = [];
  /** What goes between different boxes. */
  private readonly between: Line[];
  private readonly crowded: boolean;
  /** The ports that lines have, with the most tensors of such a line. */
  private readonly used = new Map<string, number>();

  constructor(
    private readonly place: Place,
    private found: Box[],
    private readonly inner: (Scene | null)[],
  ) {
    found.forEach(({ members }, index) => members.forEach((member) => (this.boxOf[member] = index)));
    const at = (child: number) => (child < 0 ? -1 : this.boxOf[child]);
    const edges = place.node.edges!.filter(([tail, , head]) => at(tail) < 0 || at(tail) !== at(head));
    this.crowded = edges.length > CROWDED;
    this.between = this.bundled(edges, ([tail, output, head, input]) => {
      const from = tail < 0 ? this.way("in", output) : at(tail);
      return `${from} ${head < 0 ? this.way("out", input) : at(head)}`;
    });
    for (const { edge, count } of this.between) {
      for (const id of [this.source(edge), this.target(edge)]) {
        this.used.set(id, Math.max(count, this.used.get(id) ?? 0));
      }
    }
    this.found = found.map((box, index) => {
      const least = Math.max(...(["i", "o"] as const).map((side) => roomFor(this.names(box, index, side))));
      return { ...box, width: Math.max(box.width, least), room: Math.max(box.room, least) };
    });
  }

  /** What is written at the inputs or outputs of a box. */
  private names({ members }: Box, index: number, side: "i" | "o"): string[] {
    if (this.crowded) return [];
    const node = this.place.children[side === "i" ? members[0] : members.at(-1)!].node;
    return (side === "i" ? node.inputs : node.outputs).map((_, number) =>
      this.used.get(`${side}${index}.${number}`) === 1 ? (side === "i" ? inputName : outputName)(node, number) : "",
    );
  }

  /** One line for all edges between two boxes where they are many. What enters or leaves the module has places of its
   * own, unless the module is crowded. */
  private bundled(edges: Edge[], pair: (edge: Edge) => string): Line[] {
    const counts = new Map<string, number>();
    for (const edge of edges) counts.set(pair(edge), (counts.get(pair(edge)) ?? 0) + 1);
    const begun = new Set<string>();
    return edges.flatMap((edge) => {
      const count = counts.get(pair(edge))!;
      if (!this.crowded && (count <= PARALLEL || edge[0] < 0 || edge[2] < 0)) return [{ edge, count: 1 }];
      return begun.size < begun.add(pair(edge)).size ? [{ edge, count }] : [];
    });
  }

  /** The port of an input or output: all have one if edges are many. */
  private port(number: number): number {
    return this.crowded ? 0 : number;
  }

  /** The node of a tensor that the module takes or makes. */
  private way(side: "in" | "out", number: number): string {
    return `${side}${this.place.parent ? this.port(number) : number}`;
  }

  private ways(side: "in" | "out", tensors: [string, number[]][], constraint: string): ElkNode[] {
    const ids = tensors.map((_, number) => this.way(side, number));
    return tensors
      .filter((_, number) => ids.indexOf(ids[number]) === number)
      .map((tensor, number) => this.end(ids[number], tensor, constraint));
  }

  graph(): ElkNode {
    const { inputs, outputs } = this.place.node;
    return {
      id: "root",
      layoutOptions: {
        ...OPTIONS,
        "elk.padding": this.place.parent
          ? `[top=${HEADER},left=14,bottom=0,right=14]`
          : "[top=0,left=0,bottom=0,right=0]",
      },
      children: [
        ...this.ways("in", inputs, "FIRST_SEPARATE"),
        ...this.found.map((box, index) => this.child(box, index)),
        ...this.ways("out", outputs, "LAST_SEPARATE"),
      ],
      edges: this.edges(),
    };
  }

  private end(id: string, [name, sizes]: [string, number[]], layerConstraint: string): ElkNode {
    const inside = this.crowded ? 2 : 2 + measure(shorten(name, NAME), 10); // the name is written outside, above it
    const [width, height] = this.place.parent ? [inside, 1] : [measure(endText(name, sizes), 11) + 24, END];
    // From one port, many lines leave as one.
    const port = { id: `${id}.0`, x: width / 2, y: id.startsWith("in") ? height : 0 };
    return {
      id,
      width,
      height,
      ports: this.crowded ? [port] : [],
      layoutOptions: {
        "elk.layered.layering.layerConstraint": layerConstraint,
        ...(this.crowded ? { "elk.portConstraints": "FIXED_POS" } : {}),
      },
    };
  }

  /** Where edges begin or end at a tensor of the module. */
  private wayPort(side: "in" | "out", number: number): string {
    const id = this.way(side, number);
    return this.crowded ? `${id}.0` : id;
  }

  private child(box: Box, index: number): ElkNode {
    const nodes = this.place.network.data.nodes;
    const [first, last] = [box.members[0], box.members.at(-1)!].map(
      (member) => nodes[this.place.node.children![member][1]],
    );
    const scene = this.inner[index];
    const [width, height] = scene ? [scene.width, scene.height] : [box.room, box.height];
    const joins = this.joins(box);
    const at = (side: "inputs" | "outputs", number: number) => scene?.[side][number] ?? (joins ? width / 2 : undefined);
    const names = { i: this.names(box, index, "i"), o: this.names(box, index, "o") };
    const port = (side: "i" | "o", number: number, x?: number): ElkPort => ({
      id: `${side}${index}.${number}`,
      width: 0,
      height: 0,
      ...(x === undefined ? {} : { x, y: side === "i" ? 0 : height }),
      layoutOptions: { "elk.port.side": side === "i" ? "NORTH" : "SOUTH" },
      labels: labels(names[side][number]),
    });
    return {
      id: `n${index}`,
      width,
      height,
      ports: [
        ...first.inputs
          .slice(0, joins || this.crowded ? 1 : undefined)
          .map((_, number) => port("i", number, at("inputs", number))),
        ...last.outputs
          .slice(0, this.crowded ? 1 : undefined)
          .map((_, number) => port("o", number, at("outputs", number))),
      ].filter(({ id }) => this.used.has(id)),
      layoutOptions: {
        "elk.portConstraints": scene || joins ? "FIXED_POS" : "FIXED_SIDE",
        "elk.portLabels.placement": "OUTSIDE",
      },
    };
  }

  /** Whether all that a box takes arrives in its middle, where the trunk goes on: in a merge, unless the order matters. */
  private joins(box: Box): boolean {
    return box.kind === "merge" && (this.crowded || !ordered(this.place.children[box.members[0]].node));
  }

  /** The start of an edge: a port of a box, or a tensor of the module. */
  private source([tail, output]: Edge): string {
    return tail < 0 ? this.wayPort("in", output) : `o${this.boxOf[tail]}.${this.port(output)}`;
  }

  /** And its end. */
  private target([, , head, input]: Edge): string {
    if (head < 0) return this.wayPort("out", input);
    const index = this.boxOf[head];
    return `i${index}.${this.joins(this.found[index]) ? 0 : this.port(input)}`;
  }

  private edges(): ElkExtendedEdge[] {
    const trunk = this.trunk();
    return this.between.map(({ edge, count }, number) => ({
      id: `e${number}`,
      labels: labels(count > 1 ? `${count} tensors` : ""),
      sources: [this.source(edge)],
      targets: [this.target(edge)],
      layoutOptions: {
        "elk.layered.priority.straightness": trunk.has(number) ? "50" : "1",
        "elk.layered.priority.shortness": trunk.has(number) ? "5" : "1",
      },
    }));
  }

  /** The numbers of edges that are straight: that to the first taker of a tensor, if it is the first that arrives there.
   * What skips layers to be concatenated does not count, as in a dense block. */
  private trunk(): Set<number> {
    const kinds = this.kinds();
    const [left, arrived] = [new Set<string>(), new Set<number>()];
    const found = new Set<number>();
    this.between.forEach(({ edge: [tail, output, head] }, number) => {
      if (kinds[number] && (head < 0 || this.place.children[head].node.title === "concat")) return;
      const [from, to] = [`${tail}.${output}`, head < 0 ? head : this.boxOf[head]];
      if (!left.has(from) && !arrived.has(to)) found.add(number);
      left.add(from);
      arrived.add(to);
    });
    return found;
  }

  /** Which edges are skips: past other boxes, from a tensor that others take too. */
  private kinds(): Wire["kind"][] {
    const rank: number[] = this.found.map(() => 0);
    const takers = new Map<string, number>();
    const of = (tail: number) => (tail < 0 ? -1 : rank[this.boxOf[tail]]);
    for (const {
      edge: [tail, output, head],
    } of this.between) {
      takers.set(`${tail}.${output}`, (takers.get(`${tail}.${output}`) ?? 0) + 1);
      if (head >= 0) rank[this.boxOf[head]] = Math.max(rank[this.boxOf[head]], of(tail) + 1);
    }
    const end = Math.max(0, ...rank) + 1;
    return this.between.map(({ edge: [tail, output, head, , size] }) => {
      if (size) return "size";
      const gap = (head < 0 ? end : of(head)) - of(tail);
      return gap > 1 && takers.get(`${tail}.${output}`)! > 1 ? "skip" : "";
    });
  }

  scene(laid: ElkNode): Scene {
    const node = this.place.node;
    const at = new Map(laid.children!.map((child) => [child.id, child]));
    const least = this.place.parent ? headerWidth(this.place) : 0;
    const shift = Math.max(0, (least - laid.width!) / 2);
    const middle = (id: string) => at.get(id)!.x! + at.get(id)!.width! / 2 + shift;
    const ends = (side: string, tensors: [string, number[]][]): End[] =>
      this.place.parent
        ? []
        : tensors.map(([name, sizes], port) => {
            const { x, y, width } = at.get(`${side}${port}`)!;
            return { text: endText(name, sizes), x: x! + shift, y: y!, width: width! };
          });
    return {
      width: Math.max(laid.width!, least),
      height: laid.height!,
      placed: this.found.map((box, index) => {
        const { x, y, width } = at.get(`n${index}`)!;
        const inner = this.inner[index];
        return { box, x: x! + shift + (inner ? 0 : (width! - box.width) / 2), y: y!, inner };
      }),
      wires: this.wires(laid, shift),
      labels: placedLabels(laid, shift),
      ends: [...ends("in", node.inputs), ...ends("out", node.outputs)],
      inputs: node.inputs.map((_, number) => middle(this.way("in", number))),
      outputs: node.outputs.map((_, number) => middle(this.way("out", number))),
    };
  }

  private wires(laid: ElkNode, shift: number): Wire[] {
    const kinds = this.kinds();
    return this.between.map(({ edge: [tail, , head] }, number) => {
      const { startPoint, bendPoints, endPoint } = laid.edges![number].sections![0];
      const points = [startPoint, ...(bendPoints ?? []), endPoint].map(({ x, y }) => ({ x: x + shift, y }));
      const box = tail < 0 ? null : this.found[this.boxOf[tail]];
      if (box?.label && !this.inner[this.boxOf[tail]]) points.unshift({ x: points[0].x, y: points[0].y - LABEL });
      return { points, kind: kinds[number], arrow: head >= 0 || !this.place.parent };
    });
  }
}

const endText = (name: string, sizes: number[]): string => `${name} ${shape(sizes)}`;

const ordered = (node: Node): boolean => ORDERED.includes(node.title);

/** What tells an input of a box from its others: its name, or, where the order matters, its number. */
function inputName(node: Node, number: number): string {
  if (node.inputs.length < 2) return "";
  return node.children ? shorten(node.inputs[number][0], NAME) : ordered(node) ? String(number + 1) : "";
}

function outputName({ children, outputs }: Node, number: number): string {
  if (outputs.length < 2) return "";
  return children ? shorten(outputs[number][0], NAME) : String(number + 1);
}

/** How wide a box is along whose border names have room. */
const roomFor = (names: string[]): number =>
  names.some(Boolean) ? (names.length + 1) * (Math.max(...names.map((name) => measure(name, 10))) + 3 * GAP) : 0;

const labels = (text: string | undefined): ElkLabel[] =>
  text ? [{ text, width: measure(text, 10) + 2 * GAP, height: WORDS }] : [];

/** The words beside ports, which are placed relative to them, and beside lines. */
function placedLabels(laid: ElkNode, shift: number): Label[] {
  const moved = (label: ElkLabel, x: number, y: number): Label => ({
    text: label.text!,
    x: x + label.x! + GAP + shift,
    y: y + label.y! + WORDS - 3,
  });
  return [
    ...laid.children!.flatMap(({ x, y, ports }) =>
      (ports ?? []).flatMap((port) => (port.labels ?? []).map((label) => moved(label, x! + port.x!, y! + port.y!))),
    ),
    ...laid.edges!.flatMap((edge) => (edge.labels ?? []).map((label) => moved(label, 0, 0))),
  ];
}

function headerWidth(place: Place): number {
  const [name, kind] = moduleTexts(place.name, place.node, place.network.data.nodes);
  return 46 + measure(name, 12, "bold") + measure(kind, 11);
}
