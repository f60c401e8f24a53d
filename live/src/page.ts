// The page: what a person does in it, what the server tells it, and what its address says.

import { byId } from "../../explorer/src/html";
import { key, type PaneId, read, type Shown, write } from "./address";
import { Chooser } from "./chooser";
import { Connection, type Listener, refusal } from "./connection";
import { bar, confirm, prompt, say, tell, unbar } from "./dialogs";
import { Divider } from "./divider";
import { changes, Editor, type Typed } from "./editor";
import { keyboard } from "./keys";
import { unsaved } from "./kept";
import type {
  Answer,
  File,
  Fix,
  Fixes,
  Formatted,
  Hints,
  Hovered,
  Listing,
  Outside,
  Place,
  Places,
  Problem,
  Refused,
  Result,
  Saved,
  Told,
} from "./messages";
import { markdown } from "./markdown";
import { Sheet } from "./sheet";
import { Status } from "./status";
import { type Actions, Views } from "./views";

/** Milliseconds that the cursor rests before the server is told where it is. */
const PAUSE = 80;
const narrow = matchMedia("(max-width: 760px)");

export class Page implements Listener, Typed, Actions {
  private shown: Shown = read(location.hash);
  private readonly connection = new Connection(this);
  private readonly editor = new Editor(byId("editor"), this.connection, this, this);
  private readonly sheet = new Sheet(() => this.editor.text);
  private readonly views = new Views(this.shown, this, () => this.ask());
  private readonly divider = new Divider(byId("divider"), (share) => this.navigate({ share }));
  private readonly status = new Status();
  private readonly chooser = new Chooser(
    () => this.connection.ask<Listing>({ what: "specs" }),
    (spec) => this.navigate({ spec }, true),
  );
  /** What the server was started with. */
  private first = "";
  private isOpen = false;
  /** Why there is no server, "" if there is. */
  private lost = "";
  private saving: { spec: string; text: string } | null = null;
  private result: Result | null = null;
  private readonly mended = new WeakMap<Problem, Promise<Fix[]>>();
  /** A place to go to when its spec is there. */
  private going: Place | null = null;
  private asked = "";
  private pausing = 0;

  start(): void {
    const given = key();
    this.shown = read(location.hash);
    history.replaceState(null, "", write(this.shown));
    this.arrange(null);
    this.buttons();
    addEventListener("popstate", () => this.arrive());
    addEventListener("pagehide", () => this.sheet.store());
    addEventListener("beforeunload", (event) => {
      this.sheet.store();
      if (unsaved().length) event.preventDefault();
    });
    this.connection.connect(given);
  }

  // The address

  private navigate(part: Partial<Shown>, isStep = false): void {
    const before = this.shown;
    this.shown = { ...before, ...part };
    if (write(before) === write(this.shown)) return;
    if (isStep) history.pushState(null, "", write(this.shown));
    else history.replaceState(null, "", write(this.shown));
    this.arrange(before);
  }

  /** Back, Forward, or another address by hand. */
  private arrive(): void {
    const given = key();
    if (given !== undefined && this.lost) this.connection.connect(given);
    const before = this.shown;
    this.shown = read(location.hash);
    this.arrange(before);
  }

  private arrange(before: Shown | null): void {
    const { theme, panes, share, spec } = this.shown;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    byId<HTMLSelectElement>("theme").value = theme;
    document.body.dataset.view = panes[0] === "spec" ? "spec" : "panes";
    this.divider.show(share);
    this.views.apply(this.shown, before);
    this.compare();
    this.ask();
    if (before && (spec ?? this.first) !== (before.spec ?? this.first)) this.open();
  }

  /** Tells the server which panes are seen. */
  private ask(): void {
    const wanted = this.views.wanted(this.shown);
    if (JSON.stringify(wanted) === this.asked) return;
    this.asked = JSON.stringify(wanted);
    this.connection.send(wanted);
  }

  private open(): void {
    this.sheet.store();
    this.isOpen = false;
    this.connection.send({ type: "open", spec: this.shown.spec ?? this.first });
  }

  // The server

  told(message: Exclude<Told, Answer>): void {
    switch (message.type) {
      case "welcome":
        this.first = message.spec;
        return this.welcomed();
      case "file":
        return this.opened(message);
      case "outside":
        return this.outside(message);
      case "result":
        return this.answered(message);
      case "hints":
        return this.hinted(message);
      case "unmade":
        if (message.version === this.sheet.version) this.views.unmade(message);
        return;
      case "saved":
        return this.saved(message);
      case "refused":
        return this.refused(message);
    }
    if (message.version !== this.sheet.version) return;
    this.views.renewed(message);
    performance.mark(`renewed ${message.type}`, { detail: message.version });
  }

  gone(refused: boolean): void {
    this.lost = refused ? "not let in" : "server gone";
    this.state();
    if (refused) bar("gone", "The server does not know this page. Open the address that `cnndsl serve` has printed.");
    else
      bar(
        "gone",
        "The server is gone. What is not saved is kept here. The page connects again by itself when the server is back.",
      );
  }

  private welcomed(): void {
    this.lost = "";
    unbar("gone");
    this.asked = "";
    this.ask();
    this.connection.send({ type: "open", spec: this.shown.spec ?? this.first });
  }

  private opened(file: File): void {
    const isBack = this.isOpen && file.spec === this.sheet.spec;
    const text = this.sheet.open(file, isBack ? this.editor.text : null);
    for (const name of ["outside", "missing"]) unbar(name);
    if (!isBack) {
      this.views.clear();
      this.result = null;
      this.editor.open(file.text);
    }
    this.isOpen = true;
    if (text !== this.editor.text) this.editor.follow(text);
    else if (text !== file.text) this.send();
    if (!isBack && text !== file.text)
      say("Your text that is not saved is back.", ["Throw it away", () => this.editor.follow(file.text)]);
    if (this.sheet.theirs) this.differs();
    if (this.going?.spec === file.spec) this.go({ ...this.going, spec: "" });
    this.going = null;
    this.state();
    this.compare();
    if (file.spec === "" && !this.first && this.shown.spec === null) void this.choose();
    document.documentElement.dataset.ready = "true";
  }

  private answered(result: Result): void {
    if (result.version !== this.sheet.version) return;
    this.result = result;
    this.editor.show(result);
    this.views.result(result);
    this.state();
    performance.mark("renewed result", { detail: result.version });
  }

  private hinted({ version, hints }: Hints): void {
    if (!this.result || version !== this.sheet.version) return;
    this.result = { ...this.result, hints };
    this.editor.hint(this.result);
  }

  private outside({ spec, text, digest, problem }: Outside): void {
    if (spec !== this.sheet.spec) return;
    if (!digest) {
      this.sheet.base = { ...this.sheet.base, digest: "" };
      this.state();
      return bar("outside", problem, ["Save it again", () => this.save()]);
    }
    unbar("outside");
    if (this.sheet.outside({ text, digest })) {
      if (this.editor.text !== text) this.editor.follow(text);
    } else this.differs();
    this.sheet.storeSoon();
    this.state();
    this.compare();
  }

  /** The file and the text here have both changed. */
  private differs(): void {
    bar(
      "outside",
      "The file has changed outside this page, and your text here is not saved.",
      ["Show the difference", () => this.navigate({ panes: ["diff"] }, true)],
      ["Keep mine", () => this.settle(() => this.sheet.keepMine())],
      ["Take theirs", () => this.settle(() => this.takeTheirs())],
    );
  }

  private settle(way: () => void): void {
    way();
    unbar("outside");
    this.state();
    this.compare();
  }

  private takeTheirs(): void {
    const { theirs } = this.sheet;
    if (!theirs) return;
    this.sheet.keepMine();
    this.editor.follow(theirs.text);
    this.sheet.store();
  }

  private saved({ spec, digest }: Saved): void {
    if (this.saving?.spec !== spec) return;
    this.sheet.saved(spec, { text: this.saving.text, digest });
    this.saving = null;
    for (const name of ["outside", "missing"]) unbar(name);
    this.navigate({ spec }, true);
    this.state();
    this.compare();
  }

  private refused(message: Refused): void {
    if (message.about === "open") return this.unopened(message);
    const { saving } = this;
    if (message.about === "save") this.saving = null;
    if (message.code === "conflict" && saving) void this.overwrite(saving.spec, message.digest);
    else say(refusal(message));
  }

  private unopened(message: Refused): void {
    const wanted = this.shown.spec ?? this.first;
    if (this.isOpen && wanted === this.sheet.spec) {
      this.sheet.base = { ...this.sheet.base, digest: "" };
      return bar("missing", refusal(message), ["Save it again", () => this.save()]);
    }
    say(refusal(message));
    this.navigate({ spec: wanted === this.first || wanted === "" ? "" : null });
  }

  // The editor

  changed(): void {
    this.send();
    this.sheet.storeSoon();
    this.state();
    this.compare();
  }

  moved(): void {
    this.views.at(this.editor.cursor);
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => this.connection.send({ type: "cursor", at: this.editor.cursor }), PAUSE);
  }

  async define(at: number): Promise<void> {
    const { places } = await this.connection.ask<Places>({ what: "definition", at });
    if (places.length) this.go(places[0]);
  }

  async mend(at: number): Promise<void> {
    const here = (this.result?.problems ?? []).find(
      ({ place }) => place && !place.spec && place.start <= at && at <= place.end,
    );
    const fixes = here ? await this.fixes(here) : [];
    const fix = fixes.find(({ is_preferred }) => is_preferred) ?? fixes[0];
    if (fix) this.use(fix);
    else say("There is nothing here that mends itself.");
  }

  private send(): void {
    if (!this.isOpen) return;
    const version = ++this.sheet.version;
    performance.mark("changed", { detail: version });
    this.connection.send({ type: "change", version, text: this.editor.text });
  }

  private compare(): void {
    const { theirs, base } = this.sheet;
    const what = theirs ? "what another program has written" : "what is saved";
    this.views.compare(what, (theirs ?? base).text, this.editor.text);
  }

  private state(): void {
    const { sheet, lost, result } = this;
    this.status.show(sheet, lost, result);
  }

  // What can be done about an error, a row or a box

  go(place: Place, focus = true): void {
    if (place.spec && place.spec !== this.sheet.spec) {
      this.going = place;
      return this.navigate({ spec: place.spec }, true);
    }
    if (narrow.matches) this.navigate({ panes: ["spec"] }, true);
    this.editor.reveal(place.start, place.end, focus);
  }

  fixes(problem: Problem): Promise<Fix[]> {
    const { place } = problem;
    if (!place || place.spec) return Promise.resolve([]);
    let found = this.mended.get(problem);
    if (!found) {
      const asked = this.connection.ask<Fixes>({ what: "fixes", at: place.start, end: place.end });
      found = asked.then(({ fixes }) => fixes).catch(() => []);
      this.mended.set(problem, found);
    }
    return found;
  }

  use({ edits }: Fix): void {
    const elsewhere = edits.find(({ place }) => place.spec);
    if (elsewhere) return this.offer(elsewhere.place, `This changes ${elsewhere.place.spec}.`);
    this.editor.change(edits.map(({ place, text }) => ({ from: place.start, to: place.end, insert: text })));
  }

  async explain(code: string): Promise<void> {
    try {
      const { markdown: text } = await this.connection.ask<Hovered>({ what: "explain", code });
      tell(code, markdown(text));
    } catch (error) {
      say((error as Error).message);
    }
  }

  row(place: Place, focus: boolean): void {
    if (place.spec && place.spec !== this.sheet.spec) this.offer(place, `This step is in ${place.spec}.`);
    else this.go(place, focus);
  }

  box(path: string): void {
    const place = this.views.place(path);
    if (place) this.row(place, false);
  }

  private offer(place: Place, text: string): void {
    say(text, ["Open it", () => this.go(place)]);
  }

  // What the panes ask for

  panes(panes: PaneId[]): void {
    this.navigate({ panes }, true);
  }

  depth(depth: number): void {
    this.navigate({ depth });
  }

  options(part: Partial<Shown>): void {
    this.navigate(part);
  }

  copy(text: string): void {
    void navigator.clipboard.writeText(text).then(
      () => say("Copied."),
      () => say("The browser does not let the page copy."),
    );
  }

  // Buttons and keys

  private buttons(): void {
    const actions: Record<string, () => unknown> = {
      choose: () => this.choose(),
      new: () => this.navigate({ spec: "" }, true),
      save: () => this.save(),
      "save-as": () => this.saveAs(),
      format: () => this.format(),
      help: () => byId<HTMLDialogElement>("help-text").showModal(),
    };
    for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", () => void action());
    byId("theme").addEventListener("change", ({ target }) => {
      this.navigate({ theme: (target as HTMLSelectElement).value as Shown["theme"] });
    });
    keyboard(actions);
  }

  private async choose(): Promise<void> {
    try {
      await this.chooser.open();
    } catch (error) {
      say((error as Error).message);
    }
  }

  private save(): void | Promise<void> {
    const { spec, isWritable, base } = this.sheet;
    if (!spec || !isWritable) return this.saveAs();
    this.write(spec, base.digest);
  }

  private async saveAs(): Promise<void> {
    const { spec } = this.sheet;
    const stem = spec.replace(/^zoo:/, "").replace(/\.ya?ml$/, "") || "network";
    const name = await prompt("Save as", "File in the project", `${stem}.yaml`, "Save");
    if (name) this.write(name, name === spec ? this.sheet.base.digest : "");
  }

  /** Writes the text over the file of a digest, or over none. */
  private write(spec: string, base: string): void {
    const { text } = this.editor;
    if (this.lost) return say("The server is gone. Your text is kept here until it is back.");
    this.saving = { spec, text };
    this.connection.send({ type: "save", spec, text, version: this.sheet.version, base });
  }

  private async overwrite(spec: string, digest: string): Promise<void> {
    const isOwn = spec === this.sheet.spec;
    const why = isOwn ? "Another program has changed the file meanwhile." : "There is a file of this name.";
    if (await confirm(`Write over ${spec}?`, `${why} What is in it would be lost.`, "Write over it"))
      this.write(spec, digest);
  }

  private async format(): Promise<void> {
    try {
      const { text, version } = await this.connection.ask<Formatted>({ what: "format" });
      if (version === this.sheet.version) this.editor.change(changes(this.editor.text, text));
    } catch (error) {
      say((error as Error).message);
    }
  }
}
