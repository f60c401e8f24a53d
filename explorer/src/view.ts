// What part of a picture is seen: panning and zooming, by mouse, touch and keys.

const LEAST = 0.02;
const MOST = 8;
/** Letters are still legible at this scale. */
const LEGIBLE = 0.75;
/** Pixels that a pointer may move in a click. */
const STILL = 4;

export class View {
  private x = 0;
  private y = 0;
  private scale = 1;
  private size = { width: 1, height: 1 };
  private start = 0;
  private readonly pointers = new Map<number, PointerEvent>();
  private moved = 0;

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly canvas: SVGGElement,
    private readonly clicked: (target: Element) => void,
  ) {
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event));
    svg.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
  }

  /** What is there to see: its size, and where along it the data comes in. */
  show(width: number, height: number, start: number): void {
    this.size = { width, height };
    this.start = start;
  }

  private apply(): void {
    this.canvas.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.svg.dispatchEvent(new CustomEvent("zoomed", { detail: this.scale }));
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  /** Zooms so that a point of the window keeps its place; by default its middle. */
  zoom(factor: number, x = this.svg.clientWidth / 2, y = this.svg.clientHeight / 2): void {
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  /** The whole picture; with `legible`, its beginning if the whole would be too small to read. */
  fit(legible = false): void {
    const { clientWidth, clientHeight } = this.svg;
    const margin = Math.min(20, clientWidth / 20);
    const [wide, high] = [(clientWidth - 2 * margin) / this.size.width, (clientHeight - 2 * margin) / this.size.height];
    const whole = Math.min(wide, high, 1.25);
    this.scale = Math.max(LEAST, legible ? Math.max(whole, LEGIBLE) : whole);
    const room = clientWidth - this.size.width * this.scale;
    const begin = clientWidth / 2 - this.start * this.scale;
    this.x = room >= 2 * margin ? room / 2 : Math.min(margin, Math.max(room - margin, begin));
    this.y = Math.max(margin, (clientHeight - this.size.height * this.scale) / 2);
    this.apply();
  }

  /** Moves until a box is seen; with its middle in the middle if it was outside. */
  reveal(box: Element): void {
    const [seen, found] = [this.svg.getBoundingClientRect(), box.getBoundingClientRect()];
    const across =
      found.width > seen.width
        ? found.left > seen.right || found.right < seen.left
        : found.left < seen.left || found.right > seen.right;
    const down =
      found.height > seen.height
        ? found.top > seen.bottom - 40 || found.top < seen.top
        : found.top < seen.top || found.bottom > seen.bottom;
    const top =
      found.height > seen.height
        ? seen.top + 20 - found.top
        : middle(seen.top, seen.height) - middle(found.top, found.height);
    if (this.scale < LEGIBLE / 2)
      this.zoom(LEGIBLE / this.scale, middle(found.left, found.width) - seen.left, middle(found.top, 0) - seen.top);
    if (across || down) {
      this.pan(across ? middle(seen.left, seen.width) - middle(found.left, found.width) : 0, down ? top : 0);
    }
  }

  /** Moves so that a box that was at a place of the screen is there again. */
  hold(box: Element, before: DOMRect): void {
    const after = box.getBoundingClientRect();
    this.pan(middle(before.left, before.width) - middle(after.left, after.width), before.top - after.top);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { left, top } = this.svg.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // A pinch on a touchpad arrives as a wheel with Ctrl, in small steps.
    const speed = event.ctrlKey ? 0.01 : 0.0015;
    this.zoom(Math.exp(-event.deltaY * lines * speed), event.clientX - left, event.clientY - top);
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, event);
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    this.moved += Math.hypot(dx, dy);
    if (this.moved > STILL) this.svg.setPointerCapture(event.pointerId);
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    if (other) this.pinch(before, event, other);
    else if (this.moved > STILL) this.pan(dx, dy);
    this.pointers.set(event.pointerId, event);
  }

  private pinch(before: PointerEvent, after: PointerEvent, other: PointerEvent): void {
    const distance = (event: PointerEvent) =>
      Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY) || 1;
    const { left, top } = this.svg.getBoundingClientRect();
    const [x, y] = [(after.clientX + other.clientX) / 2 - left, (after.clientY + other.clientY) / 2 - top];
    this.zoom(distance(after) / distance(before), x, y);
    this.pan((after.clientX - before.clientX) / 2, (after.clientY - before.clientY) / 2);
  }

  private up(event: PointerEvent): void {
    const still = this.pointers.has(event.pointerId) && this.moved <= STILL;
    this.pointers.delete(event.pointerId);
    if (still) this.clicked(event.target as Element);
  }
}

const middle = (start: number, length: number): number => start + length / 2;
