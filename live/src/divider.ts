// The line between the editor and the panes, to drag or to move by keys.

/** Percent of the window that a key moves it. */
const STEP = 2;

export class Divider {
  private share = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly moved: (share: number) => void,
  ) {
    element.addEventListener("pointerdown", (event) => element.setPointerCapture(event.pointerId));
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) this.drag(event.clientX);
    });
    element.addEventListener("lostpointercapture", () => this.moved(this.share));
    element.addEventListener("keydown", (event) => this.pressed(event));
  }

  show(share: number): void {
    this.share = Math.min(85, Math.max(15, Math.round(share)));
    this.element.parentElement!.style.setProperty("--share", `${this.share}%`);
    this.element.setAttribute("aria-valuenow", String(this.share));
  }

  private drag(x: number): void {
    const { left, width } = this.element.parentElement!.getBoundingClientRect();
    this.show((100 * (x - left)) / width);
  }

  private pressed(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowLeft: -STEP, ArrowRight: STEP };
    if (!steps[event.key]) return;
    this.show(this.share + steps[event.key]);
    this.moved(this.share);
    event.preventDefault();
  }
}
