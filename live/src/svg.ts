// A figure from the server as elements of the page. Its texts come from a spec, so only what a picture needs is let in.

const ELEMENTS = new Set(
  "svg g path polygon polyline line rect circle ellipse text tspan title defs marker linearGradient stop clipPath".split(
    " ",
  ),
);
const REFUSED = /^on|^style$|href$/i;

/** The picture of a text, or null if it is none. */
export function figure(text: string): SVGSVGElement | null {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (root.localName !== "svg") return null;
  const copy = clean(root);
  return copy as SVGSVGElement | null;
}

function clean(element: Element): Element | null {
  if (!ELEMENTS.has(element.localName)) return null;
  const copy = document.createElementNS("http://www.w3.org/2000/svg", element.localName);
  for (const { name, value } of element.attributes) {
    if (!REFUSED.test(name) && !name.startsWith("xmlns")) copy.setAttribute(name, value);
  }
  for (const child of element.childNodes) {
    const inner = child instanceof Element ? clean(child) : child instanceof Text ? child.data : null;
    if (inner !== null) copy.append(inner);
  }
  return copy;
}
