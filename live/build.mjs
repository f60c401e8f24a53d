// Builds the live page into ../cnndsl/serve/built/. `node build.mjs FOLDER` builds it elsewhere.
//
// The script begins with a digest of everything of ours that it is made of, so that a test without npm sees that it is
// stale. What the explorer has already is taken from there.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "cnndsl", "serve", "built");
const shared = ["colours.css", "html.ts", "view.ts", "words.ts"].map((name) => join("..", "explorer", "src", name));
const read = (name) => readFileSync(join(here, name), "utf8");

function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(here, "src"))
    .sort()
    .map((name) => join("src", name));
  for (const name of ["build.mjs", "package.json", "package-lock.json", "tsconfig.json", ...sources, ...shared]) {
    hash.update(`${name}\0`);
    hash.update(read(name));
  }
  return hash.digest("hex");
}

/** The licences of the packages that are part of the script. */
function licences(inputs) {
  const packages = new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
  return [...packages].sort().map((name) => {
    const folder = join("node_modules", name);
    const { version, repository } = JSON.parse(read(join(folder, "package.json")));
    const [file] = ["LICENSE", "LICENSE.md"].filter((each) => existsSync(join(here, folder, each)));
    const home = (repository.url ?? repository).replace(/^git\+/, "").replace(/\.git$/, "");
    return `${name} ${version} (${home})\n\n${read(join(folder, file)).trim()}\n`;
  });
}

mkdirSync(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: [join("src", "main.ts")],
  outfile: join(out, "live.js"),
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  banner: { js: `// sources ${digest()}` },
});
writeFileSync(join(out, "live.css"), [read(shared[0]), read(join("src", "live.css"))].join("\n"));
writeFileSync(join(out, "live.html"), read(join("src", "live.html")));
writeFileSync(join(out, "LICENSES.txt"), licences(Object.keys(metafile.inputs)).join(`\n${"-".repeat(80)}\n\n`));
