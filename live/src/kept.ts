// Texts that are not saved, kept by the browser for this tab: a reload, another spec or a lost server costs nothing.

export interface Kept {
  text: string;
  /** The digest and the text of the file that it began from. */
  digest: string;
  base: string;
}

const PREFIX = "cnndsl unsaved ";

export function keep(spec: string, kept: Kept | null): void {
  try {
    if (kept) sessionStorage.setItem(PREFIX + spec, JSON.stringify(kept));
    else sessionStorage.removeItem(PREFIX + spec);
  } catch {
    // The browser keeps nothing, or has no room: the text is still in memory.
  }
}

export function kept(spec: string): Kept | null {
  const text = sessionStorage.getItem(PREFIX + spec);
  return text === null ? null : (JSON.parse(text) as Kept);
}

/** The specs with unsaved texts. */
export function unsaved(): string[] {
  return Object.keys(sessionStorage)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => name.slice(PREFIX.length));
}
