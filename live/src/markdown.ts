// Markdown as elements of the page. Only texts, links to the web and marks become elements: a text's HTML is text.

import { Lexer, type Token, type Tokens } from "marked";

import { h } from "../../explorer/src/html";

const MARKS: Record<string, string> = {
  strong: "strong",
  em: "em",
  del: "del",
  paragraph: "p",
  blockquote: "blockquote",
};

/** The characters that the lexer has written as entities. */
function plain(text: string): string {
  const signs: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => signs[name]);
}

function link({ href, tokens }: Tokens.Link): Node {
  const inner = tokens.map(node);
  if (!/^https?:/i.test(href)) return h("span", {}, ...inner);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...inner);
}

function table({ header, rows }: Tokens.Table): Node {
  const row = (name: string, cells: Tokens.TableCell[]) =>
    h("tr", {}, ...cells.map((cell) => h(name, {}, ...cell.tokens.map(node))));
  return h("table", {}, h("thead", {}, row("th", header)), h("tbody", {}, ...rows.map((cells) => row("td", cells))));
}

function node(token: Token): Node {
  switch (token.type) {
    case "code":
      return h("pre", {}, h("code", {}, token.text as string));
    case "codespan":
      return h("code", {}, plain(token.text as string));
    case "heading":
      return h("h3", {}, ...(token.tokens ?? []).map(node));
    case "list":
      return h(
        token.ordered ? "ol" : "ul",
        {},
        ...(token as Tokens.List).items.map(({ tokens }) => h("li", {}, ...tokens.map(node))),
      );
    case "link":
      return link(token as Tokens.Link);
    case "table":
      return table(token as Tokens.Table);
    case "br":
      return h("br");
    case "hr":
      return h("hr");
    case "space":
      return document.createTextNode("");
  }
  const inner = (token as { tokens?: Token[] }).tokens;
  if (MARKS[token.type]) return h(MARKS[token.type], {}, ...(inner ?? []).map(node));
  if (inner) return h("span", {}, ...inner.map(node));
  return document.createTextNode(plain("text" in token ? (token.text as string) : token.raw));
}

/** A line of a message: what is between backticks is code. */
export function ticked(text: string): (Node | string)[] {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

export function markdown(text: string): HTMLElement {
  return h("div", { class: "markdown" }, ...new Lexer().lex(text).map(node));
}
