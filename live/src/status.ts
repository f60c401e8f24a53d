// The head of the page: what is open, what it costs, and how it is.

import { byId, h } from "../../explorer/src/html";
import type { Problem, Result } from "./messages";
import type { Sheet } from "./sheet";

export class Status {
  show(sheet: Sheet, lost: string, result: Result | null): void {
    const { spec } = sheet;
    byId("spec").textContent = spec || "new spec";
    if (result?.totals) this.totals(result.totals);
    else if (!result) this.totals({ name: "", params: "", macs: "", signature: "" });
    const marks = [...this.file(sheet, lost), ...this.found(result?.problems ?? [])];
    const [kinds, texts] = [marks.map(([kind]) => kind), marks.map(([, text]) => text)];
    if (byId("state").textContent !== texts.join("")) {
      byId("state").replaceChildren(...texts.map((text, index) => h("span", { class: `mark ${kinds[index]}` }, text)));
    }
    byId("state").classList.toggle("stale", lost !== "");
    byId<HTMLButtonElement>("save").disabled = !sheet.isEdited && sheet.base.digest !== "";
    const name = byId("name").textContent || spec || "cnndsl";
    document.title = `${sheet.isEdited ? "\u2022 " : ""}${name} \u00b7 cnndsl`;
  }

  private totals({ name, params, macs, signature }: NonNullable<Result["totals"]>): void {
    byId("name").textContent = name;
    byId("summary").textContent = name && `${params} parameters \u00b7 ${macs} MACs`;
    byId("summary").title = signature;
  }

  private file({ isWritable, isEdited, base }: Sheet, lost: string): [kind: string, text: string][] {
    if (lost) return [["gone", lost], ...(isEdited ? [["edited", "edited"] as [string, string]] : [])];
    if (isEdited) return [["edited", "edited"]];
    if (!isWritable) return [["saved", "of the zoo"]];
    return base.digest ? [["saved", "saved"]] : [["edited", "not saved"]];
  }

  private found(problems: Problem[]): [kind: string, text: string][] {
    const count = (severity: string): [string, string][] => {
      const number = problems.filter((problem) => problem.severity === severity).length;
      return number ? [[severity, `${number} ${severity}${number > 1 ? "s" : ""}`]] : [];
    };
    return [...count("error"), ...count("warning")];
  }
}
