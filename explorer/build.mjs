// Builds the page of the explorer into ../cnndsl/explorer/built/. `node build.mjs FOLDER` builds it elsewhere.
//
// The script begins with digests of everything that it is made of and of the layout's worker, so that a test without npm
// sees that they are stale.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "cnndsl", "explorer", "built");
const elk = join(here, "node_modules", "elkjs");

function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(here, "src"))
    .sort()
    .map((name) => join("src", name));
  for (const name of ["build.mjs", "package.json", "package-lock.json", "tsconfig.json", ...sources]) {
    hash.update(`${name}\0`);
    hash.update(readFileSync(join(here, name)));
  }
  return hash.digest("hex");
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

mkdirSync(out, { recursive: true });
const { version } = JSON.parse(readFileSync(join(elk, "package.json"), "utf8"));
const worker = readFileSync(join(elk, "lib", "elk-worker.min.js"));
await build({
  entryPoints: [join(here, "src", "main.ts")],
  outfile: join(out, "explorer.js"),
  bundle: true,
  minify: true,
  charset: "ascii", // no U+2028 and no byte that an editor may change
  format: "iife",
  target: "es2022",
  legalComments: "none",
  banner: { js: `// sources ${digest()}\n// layout ${sha256(worker)}` },
});
const style = ["colours.css", "explorer.css"].map((name) => readFileSync(join(here, "src", name), "utf8")).join("\n");
writeFileSync(join(out, "explorer.css"), style);
writeFileSync(join(out, "explorer.html"), readFileSync(join(here, "src", "explorer.html")));
writeFileSync(join(out, "elk-worker.js"), worker);
cpSync(join(elk, "LICENSE.md"), join(out, "LICENSE-elkjs.md"));
writeFileSync(
  join(out, "NOTICE"),
  `The layout is computed by elkjs ${version} (https://github.com/kieler/elkjs), the Eclipse Layout Kernel in JavaScript.
It is used unchanged under the Eclipse Public License 2.0 (SPDX-License-Identifier: EPL-2.0); its source is at that address.
`,
);
