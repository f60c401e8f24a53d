// Bundles the client into out/extension.js. Only VS Code's own API stays outside.

import { copyFileSync } from "node:fs";

import { build } from "esbuild";

copyFileSync("../../LICENSE", "LICENSE");

await build({
  entryPoints: ["src/extension.ts"],
  outfile: "out/extension.js",
  bundle: true,
  platform: "node",
  target: "node18",
  format: "cjs",
  external: ["vscode"],
  minify: true,
  legalComments: "linked",
  logLevel: "info",
});
