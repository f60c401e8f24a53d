// Questions to the person at the page.

import { byId, h } from "../../explorer/src/html";
import { ticked } from "./markdown";

/** Asks for a text; null if the person does not want to tell one. */
export function prompt(title: string, label: string, value: string, action: string): Promise<string | null> {
  const input = h("input", {
    id: "asked",
    type: "text",
    value,
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  return ask(title, [h("label", { for: "asked" }, label), input], action, () =>
    (input as HTMLInputElement).value.trim(),
  );
}

export async function confirm(title: string, text: string, action: string): Promise<boolean> {
  return (await ask(title, [h("p", {}, text)], action, () => "yes")) !== null;
}

function ask(title: string, parts: Node[], action: string, answer: () => string): Promise<string | null> {
  const dialog = byId<HTMLDialogElement>("ask");
  const cancel = h("button", { type: "button", click: () => dialog.close() }, "Cancel");
  const buttons = h("div", { class: "buttons" }, cancel, h("button", { type: "submit", class: "primary" }, action));
  let given: string | null = null;
  const submitted = (event: Event) => {
    event.preventDefault();
    given = answer();
    dialog.close();
  };
  dialog.replaceChildren(h("form", { submit: submitted }, h("h2", {}, title), ...parts, buttons));
  dialog.setAttribute("aria-label", title);
  dialog.showModal();
  dialog.querySelector("input")?.select();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(given), { once: true }));
}

/** Shows a text for reading. */
export function tell(title: string, text: Node): void {
  const dialog = byId<HTMLDialogElement>("ask");
  const close = h("button", { type: "button", class: "primary", click: () => dialog.close() }, "Close");
  dialog.replaceChildren(h("h2", {}, title), text, h("div", { class: "buttons" }, close));
  dialog.setAttribute("aria-label", title);
  dialog.showModal();
}

/** A bar above the page: what it says, and what can be done about it. */
export function bar(id: string, text: string, ...actions: [name: string, act: () => void][]): void {
  unbar(id);
  const buttons = actions.map(([name, act]) => h("button", { type: "button", click: act }, name));
  byId("bars").append(
    h("div", { class: "bar", id: `bar-${id}`, role: "alert" }, h("span", {}, ...ticked(text)), ...buttons),
  );
}

export function unbar(id: string): void {
  document.getElementById(`bar-${id}`)?.remove();
}

let fading = 0;

/** Says something for a while. */
export function say(text: string, ...actions: [name: string, act: () => void][]): void {
  const notice = byId("notice");
  const buttons = actions.map(([name, act]) =>
    h("button", { type: "button", click: () => (notice.classList.remove("seen"), act()) }, name),
  );
  notice.replaceChildren(h("span", {}, ...ticked(text)), ...buttons);
  notice.classList.add("seen");
  clearTimeout(fading);
  fading = setTimeout(() => notice.classList.remove("seen"), 6000);
}
