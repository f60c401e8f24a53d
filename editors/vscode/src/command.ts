// Which command starts cnndsl. No API of VS Code here, so that tests run it under Node.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** The virtual environments that people keep in a folder. */
const ENVIRONMENTS = [".venv", "venv"];

/** The words of the command: the one that is set, or cnndsl of a folder's virtual environment, or that of the PATH. */
export function command(set: readonly string[], folders: readonly string[], platform = process.platform): string[] {
  if (set.length > 0) {
    return [...set];
  }
  const inside = platform === "win32" ? ["Scripts", "cnndsl.exe"] : ["bin", "cnndsl"];
  const found = folders
    .flatMap((folder) => ENVIRONMENTS.map((environment) => join(folder, environment, ...inside)))
    .find(existsSync);
  return [found ?? "cnndsl"];
}

/** A word as a shell reads it, so that paths with spaces stay one word. */
export function quoted(word: string, platform = process.platform): string {
  if (/^[\w@%+=:,./\\-]+$/.test(word)) {
    return word;
  }
  return platform === "win32" ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`;
}
