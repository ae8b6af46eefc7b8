/** What changed from one model to the other? The totals, the changes, and both trees of layers side by side. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Notes } from "./About";
import { type Aligned, aligned } from "./aligned";
import type { Model, Report } from "./data";
import { DataTable } from "./DataTable";
import { BothTrees } from "./BothTrees";
import { LayerPanel } from "./LayerPanel";
import { Cautions } from "./Notices";

export function DiffPage({ report }: { report: Report }): JSX.Element {
  const { tables, changes } = report.diff!;
  const [first, second] = report.models;
  const both = useMemo(() => aligned(first, second, changes), [report]);
  const [selected, setSelected] = useState<number | null>(null);
  const [target, setTarget] = useState<{ row: number } | null>(null);
  const notes = tables.flatMap((table) => table.notes);
  const cautions = notes.filter((note) => note.kind === "caution");
  const show = (row: number): void => {
    setSelected(row);
    setTarget({ row });
  };
  return (
    <>
      {cautions.length > 0 && (
        <section class="caution" aria-label="What keeps figures from being compared">
          <Cautions notes={cautions} />
        </section>
      )}
      {tables.map((table, index) => (
        <section key={index} aria-label={table.caption}>
          <h2>{index === 0 ? "Totals" : table.caption}</h2>
          <DataTable label={table.caption} table={table} />
        </section>
      ))}
      <BothTrees first={first} second={second} both={both} selected={selected} target={target} onSelect={setSelected} />
      {selected !== null && <Both first={first} second={second} both={both} selected={selected} onShow={show} />}
      <Notes notes={notes} />
    </>
  );
}

interface BothProps {
  first: Model;
  second: Model;
  both: Aligned;
  selected: number;
  onShow: (row: number) => void; // of both trees
}

/** The layer before and after, in full. */
function Both({ first, second, both, selected, onShow }: BothProps): JSX.Element {
  const sides = [
    { title: "Before", model: first, rows: both.before, absent: "It was not there before." },
    { title: "After", model: second, rows: both.after, absent: "It is not there any more." },
  ];
  return (
    <section class="both" aria-label="The selected layer before and after" aria-live="polite">
      {sides.map(({ title, model, rows, absent }) => {
        const row = rows[selected];
        const select = (other: number): void => onShow(rows.indexOf(other));
        return (
          <div key={title}>
            <p class="side-title">{title}</p>
            {row === null ? (
              <p class="muted">{absent}</p>
            ) : (
              <LayerPanel model={model} row={row} onSelect={select} onShow={select} />
            )}
          </div>
        );
      })}
    </section>
  );
}
