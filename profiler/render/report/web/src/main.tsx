/**
 * What does the page show? The report that it carries as data, in `<main id="report">`.
 *
 * What tests, and whoever writes a style, can hold on to:
 *
 * - `main[data-ready]` once the report is shown, or `main[data-failed]`; `window.profileModel.format(value, unit)`.
 * - `[data-value]` is the raw value beside every number that is shown; "" where it is not known.
 * - cards `[data-total=NAME]`; how it was run `[data-about=LABEL]`; `[data-coverage=whole|partial]`.
 * - tables of layers are `[role=treegrid]`, their rows `tr[data-path][data-row]` with `aria-level`, `aria-expanded`,
 *   `aria-selected`, `aria-rowindex`, their cells and headings `[data-column=NAME]`; of two models `tr[data-status]`.
 * - other tables have `tr[data-row]` and `[data-column=NAME]`, the best of a column `[data-best=true]`.
 * - the panel of a layer is `[data-panel=PATH]`, its conventions `tr[data-convention=NAME]`, its columns
 *   `[data-figure=NAME]`; `[data-copy=PATH]` copies the path.
 * - what scrolls sideways tells in `data-more` at which sides more follows: "left", "right", or both.
 * - charts are `[role=img]` with a sentence as their name; memory has a slider "Operator call" and `.alive[data-call]`.
 */
import { render } from "preact";
import { App } from "./App";
import type { Report } from "./data";
import { format } from "./format";

declare global {
  interface Window {
    profileModel: { format: typeof format };
  }
}

async function read(): Promise<Report> {
  const element = document.getElementById("report-data")!;
  const text = element.textContent ?? "";
  return JSON.parse(element.dataset.encoding === "gzip" ? await unpacked(text) : text) as Report;
}

/** Of base64 of gzip. */
async function unpacked(text: string): Promise<string> {
  const packed = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  return await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function start(place: HTMLElement): Promise<void> {
  try {
    const report = await read();
    if ((report.schema as number) !== 1) throw new Error(`it has schema ${report.schema}, and this page reads 1`);
    render(<App report={report} />, place);
    place.dataset.ready = "true";
  } catch (error) {
    place.dataset.failed = "true";
    place.textContent = `The report cannot be shown: ${String(error)}`;
  }
}

window.profileModel = { format };
void start(document.getElementById("report")!);
