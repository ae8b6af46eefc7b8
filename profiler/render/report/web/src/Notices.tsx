/** What must the figures not be read without? What was not counted, and how much of the run is known. */
import type { JSX } from "preact";
import type { Model, Note } from "./data";
import { counted } from "./Name";

export function Notices({ model }: { model: Model }): JSX.Element {
  const cautions = model.notes.filter((note) => note.kind === "caution");
  const unknown = model.unknown_ops.reduce((sum, [, calls]) => sum + calls, 0);
  const isWhole = unknown === 0 && !model.coverage?.unknown;
  return (
    <>
      {(cautions.length > 0 || !isWhole) && (
        <section class="caution" aria-label="What was not counted" data-coverage={isWhole ? "whole" : "partial"}>
          <Cautions notes={cautions} />
          {!isWhole && (
            <p>
              <strong>{counted(model.coverage?.unknown ?? unknown, "operator call")} not counted</strong>, for want of a
              formula; <CoverageWords model={model} />.
            </p>
          )}
          {model.unknown_ops.length > 0 && <UnknownOps model={model} />}
        </section>
      )}
      {isWhole && (
        <p class="quiet" data-coverage="whole">
          {model.coverage === null ? (
            "Nothing was run: what a run costs is not known."
          ) : (
            <>
              Every operator call has a formula or is free: <CoverageWords model={model} />.
            </>
          )}
        </p>
      )}
    </>
  );
}

export function Cautions({ notes }: { notes: Note[] }): JSX.Element {
  return (
    <>
      {notes.map(({ text }) => (
        <p key={text}>
          <bdi>{text}</bdi>
        </p>
      ))}
    </>
  );
}

function CoverageWords({ model }: { model: Model }): JSX.Element | null {
  if (!model.coverage) return null;
  const { known, free, unknown } = model.coverage;
  const [all, nothing, none] = [known, free, unknown].map((count) => count.toLocaleString("en"));
  return (
    <>
      <span data-value={known}>{all} known</span>, <span data-value={free}>{nothing} free</span>,{" "}
      <span data-value={unknown}>{none} unknown</span>
    </>
  );
}

function UnknownOps({ model }: { model: Model }): JSX.Element {
  return (
    <ul class="unknown-ops">
      {model.unknown_ops.map(([op, calls]) => (
        <li key={op} data-value={calls}>
          <code>{op}</code> {counted(calls, "call")}
        </li>
      ))}
    </ul>
  );
}
