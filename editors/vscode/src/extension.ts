// The client of `cnndsl lsp`: it starts the server, and everything else is the server's.

import * as vscode from "vscode";
import { LanguageClient, type LanguageClientOptions, type StaticFeature } from "vscode-languageclient/node";

import { command, quoted } from "./command";

const LANGUAGES = ["yaml", "cnndsl"];
let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  context.subscriptions.push(
    vscode.commands.registerCommand("cnndsl.restart", restart),
    vscode.commands.registerCommand("cnndsl.serve", serve),
    vscode.commands.registerCommand("cnndsl.showReferences", showReferences),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("cnndsl.command")) {
        await restart();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(restart),
  );
  await start();
}

export async function deactivate(): Promise<void> {
  await client?.dispose();
}

async function start(): Promise<void> {
  const [program, ...words] = wordsOfCommand();
  const cwd = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const server = { command: program, args: [...words, "lsp"], options: { cwd } };
  const options: LanguageClientOptions = {
    documentSelector: LANGUAGES.flatMap((language) => [
      { language, scheme: "file" },
      { language, scheme: "untitled" },
    ]),
    initializationOptions: vscode.workspace.getConfiguration("cnndsl"),
    initializationFailedHandler: () => false,
  };
  client = new LanguageClient("cnndsl", "cnndsl", server, options);
  client.registerFeature(COMMANDS);
  try {
    await client.start();
  } catch (error) {
    await tell(program, error);
  }
}

async function restart(): Promise<void> {
  const old = client;
  client = undefined;
  await old?.dispose().catch(() => undefined); // one that never started cannot be stopped
  await start();
}

/** Tells the server which commands of the client its code lenses may name. */
const COMMANDS: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental, commands: ["cnndsl.showReferences"] };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** Tells that the server does not start, and what to do. */
async function tell(program: string, error: unknown): Promise<void> {
  const SETTINGS = "Open Settings";
  const OUTPUT = "Show Output";
  const message =
    `\`${program} lsp\` does not start: ${error instanceof Error ? error.message : error}. ` +
    "Install it with `pip install 'cnndsl[lsp]'`, or set `cnndsl.command`.";
  const choice = await vscode.window.showErrorMessage(message, SETTINGS, OUTPUT);
  if (choice === SETTINGS) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "cnndsl.command");
  } else if (choice === OUTPUT) {
    client?.outputChannel.show();
  }
}

function wordsOfCommand(): string[] {
  const set = vscode.workspace.getConfiguration("cnndsl").get<string[]>("command", []);
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return command(
    set,
    folders.map((folder) => folder.uri.fsPath),
  );
}

/** Runs `cnndsl serve` for the file in view, in a terminal that a person can see and stop. */
async function serve(): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined || document.uri.scheme !== "file") {
    await vscode.window.showInformationMessage("Open a spec that is saved in a file first.");
    return;
  }
  const terminal = vscode.window.createTerminal("cnndsl serve");
  terminal.show(true);
  terminal.sendText([...wordsOfCommand(), "serve", document.uri.fsPath].map((word) => quoted(word)).join(" "));
}

interface Place {
  uri: string;
  range: { start: Position; end: Position };
}

interface Position {
  line: number;
  character: number;
}

/** The uses of a block, in the view of references. */
async function showReferences(uri: string, position: Position, places: Place[]): Promise<void> {
  const at = ({ line, character }: Position) => new vscode.Position(line, character);
  const locations = places.map(
    ({ uri, range }) => new vscode.Location(vscode.Uri.parse(uri), new vscode.Range(at(range.start), at(range.end))),
  );
  await vscode.commands.executeCommand("editor.action.showReferences", vscode.Uri.parse(uri), at(position), locations);
}
