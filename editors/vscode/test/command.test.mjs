// Which command starts the server.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "cnndsl-"));
const built = join(folder, "command.mjs");
await build({ entryPoints: ["src/command.ts"], outfile: built, format: "esm", platform: "node", logLevel: "error" });
const { command, quoted } = await import(built);

function environment(name, ...inside) {
  const place = mkdtempSync(join(tmpdir(), "project-"));
  mkdirSync(join(place, name, inside[0]), { recursive: true });
  writeFileSync(join(place, name, ...inside), "");
  return place;
}

test("the command that is set", () => {
  assert.deepEqual(command(["uv", "run", "cnndsl"], ["/nowhere"]), ["uv", "run", "cnndsl"]);
});

test("the folder's own environment, on each platform", () => {
  const unix = environment(".venv", "bin", "cnndsl");
  const windows = environment("venv", "Scripts", "cnndsl.exe");
  assert.deepEqual(command([], ["/nowhere", unix], "linux"), [join(unix, ".venv", "bin", "cnndsl")]);
  assert.deepEqual(command([], [windows], "win32"), [join(windows, "venv", "Scripts", "cnndsl.exe")]);
  assert.deepEqual(command([], [windows], "linux"), ["cnndsl"]);
});

test("the command of the PATH", () => {
  assert.deepEqual(command([], []), ["cnndsl"]);
});

test("paths with spaces and quotes stay one word of a shell", () => {
  assert.equal(quoted("/a/b.yaml", "linux"), "/a/b.yaml");
  assert.equal(quoted("/my nets/it's.yaml", "linux"), "'/my nets/it'\\''s.yaml'");
  assert.equal(quoted("C:\\my nets\\a.yaml", "win32"), '"C:\\my nets\\a.yaml"');
});
