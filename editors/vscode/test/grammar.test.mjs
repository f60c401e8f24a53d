// What the grammar says of expressions in YAML, read by the library that VS Code reads grammars with.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

const require = createRequire(import.meta.url);
const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
const ours = (name) => new URL(`../syntaxes/${name}.json`, import.meta.url);
const theirs = (name) => new URL(`../node_modules/tm-grammars/grammars/${name}.json`, import.meta.url);
const FILES = {
  "source.cnndsl": ours("cnndsl"),
  "cnndsl.expressions": ours("expressions"),
  "source.yaml": theirs("yaml"),
};

async function grammar(scope) {
  await loaded;
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (name) =>
      FILES[name] ? textmate.parseRawGrammar(readFileSync(FILES[name], "utf8"), `${name}.json`) : null,
    getInjections: (name) => (name === "source.yaml" || name === "source.cnndsl" ? ["cnndsl.expressions"] : undefined),
  });
  return registry.loadGrammar(scope);
}

const loaded = oniguruma.loadWASM(wasm.buffer);

/** The innermost scope of each token of a line that is not blank. */
function tokens(grammar, line) {
  return grammar
    .tokenizeLine(line, textmate.INITIAL)
    .tokens.map(({ startIndex, endIndex, scopes }) => [line.slice(startIndex, endIndex), scopes.at(-1), scopes])
    .filter(([text]) => text.trim() !== "");
}

const CASES = [
  ["- Conv2d: {out_channels: $(4 * planes)}", { 4: "constant.numeric", "*": "keyword.operator", planes: "variable" }],
  ["- when: $(stride != 1 or input.channels != channels)", { or: "keyword.operator", "input.channels": "variable" }],
  ["- Linear: $classes", { $: "punctuation.definition.variable", classes: "variable.other" }],
  ['- name: "layer$(i + 1)"', { i: "variable", 1: "constant.numeric" }],
  [
    "  let: {mid: $(divisible(width / 2, 8))}",
    { divisible: "support.function", width: "variable", 8: "constant.numeric" },
  ],
  ["  - $(a if b else [c, 1])", { if: "keyword", else: "keyword", c: "variable" }],
];

for (const scope of ["source.yaml", "source.cnndsl"]) {
  for (const [line, wanted] of CASES) {
    test(`${scope}: ${line}`, async () => {
      const found = tokens(await grammar(scope), line).filter(([, , scopes]) =>
        scopes.some((name) => name.startsWith("meta.expression.cnndsl")),
      );
      for (const [text, name] of Object.entries(wanted)) {
        const scopes = found.filter(([token]) => token === text).map(([, innermost]) => innermost);
        assert.ok(
          scopes.some((innermost) => innermost.startsWith(name)),
          `${text}: ${scopes} in ${JSON.stringify(found)}`,
        );
      }
    });
  }
  test(`${scope}: comments and what follows an expression stay what they are`, async () => {
    const read = await grammar(scope);
    const outside = (line, text) =>
      tokens(read, line)
        .filter(([token]) => token.includes(text))
        .every(([, , scopes]) => !scopes.some((name) => name.includes("cnndsl") && name.includes("expression")));
    assert.ok(outside("# $(not an expression)", "not an"));
    assert.ok(outside("- Conv2d: {out_channels: $(2 * (a + b)), kernel_size: 3}", "kernel_size"));
    assert.ok(outside("- Conv2d: {out_channels: $(2 * (a + b)), kernel_size: 3}", "3"));
    assert.ok(outside('- "$a": b', "b"));
  });
}
