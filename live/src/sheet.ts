// The spec in the editor, and what is known of its file.

import { keep, kept } from "./kept";
import type { File } from "./messages";

/** What a text is compared with. */
export interface Base {
  text: string;
  /** Tells the contents of a file from others; "" for no file. */
  digest: string;
}

export class Sheet {
  spec = "";
  isWritable = false;
  /** The file as the text here began from it. */
  base: Base = { text: "", digest: "" };
  /** The file as another program has left it, while the person has not yet said what to do about it. */
  theirs: Base | null = null;
  /** Numbers the texts of this spec. */
  version = 0;
  private writing = 0;

  constructor(private readonly text: () => string) {}

  get isEdited(): boolean {
    return this.text() !== this.base.text;
  }

  /** Another spec, or the same of a server that is back. The text that goes on: `mine` if there is one that is not
   * saved, or else that of the file. */
  open(file: File, mine: string | null): string {
    const before = mine === null ? kept(file.spec) : { text: mine, digest: this.base.digest, base: this.base.text };
    const found: Base = { text: file.text, digest: file.digest };
    [this.spec, this.isWritable, this.version, this.theirs] = [file.spec, file.is_writable, 0, null];
    const isUnsaved = before !== null && before.text !== before.base && before.text !== file.text;
    const isOther = isUnsaved && before.digest !== file.digest;
    this.base = isOther ? { text: before.base, digest: before.digest } : found;
    if (isOther) this.theirs = found;
    return isUnsaved ? before.text : file.text;
  }

  /** The file is another. True if the text here follows it, since nobody has edited it. */
  outside(file: Base): boolean {
    const follows = !this.isEdited || this.text() === file.text;
    if (follows) this.base = file;
    this.theirs = follows ? null : file;
    return follows;
  }

  /** The text here goes on, in place of what another program has written. */
  keepMine(): void {
    if (this.theirs) this.base = this.theirs;
    this.theirs = null;
    this.store();
  }

  saved(spec: string, base: Base): void {
    if (spec !== this.spec) keep(this.spec, null);
    [this.spec, this.base, this.theirs, this.isWritable] = [spec, base, null, true];
    this.store();
  }

  /** Lets the browser keep the text, after a pause in typing. */
  storeSoon(): void {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.store(), 150);
  }

  store(): void {
    clearTimeout(this.writing);
    const { text, digest } = this.base;
    keep(this.spec, this.isEdited ? { text: this.text(), digest, base: text } : null);
  }
}
