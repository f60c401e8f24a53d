// Keys that work everywhere on the page. Those of the editor are CodeMirror's.

export function keyboard(actions: Record<string, () => unknown>): void {
  const keys: Record<string, string> = {
    "Mod+s": "save",
    "Mod+Shift+s": "save-as",
    "Mod+o": "choose",
    "Shift+Alt+f": "format",
    F1: "help",
  };
  addEventListener("keydown", (event) => {
    const held = [
      [event.ctrlKey || event.metaKey, "Mod"],
      [event.shiftKey, "Shift"],
      [event.altKey, "Alt"],
    ];
    // With Alt, a Mac types another letter.
    const key = event.altKey ? event.code.replace(/^Key/, "").toLowerCase() : event.key.toLowerCase();
    const name = [...held.filter(([down]) => down).map(([, name]) => name), key === "f1" ? "F1" : key].join("+");
    if (!keys[name] || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    actions[keys[name]]();
  });
}
