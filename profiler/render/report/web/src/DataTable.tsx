/** How is a table shown whose rows are no tree? Sorted by its headings, the best values marked. */
import type { ComponentChildren, JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Column, Table } from "./data";
import { format } from "./format";
import { useMore } from "./hooks";
import { Name } from "./Name";
import { isText, next, type Sort, sorted } from "./sort";
import { useTheme } from "./theme";

const AT_ONCE = 300; // rows

interface Props {
  label: string;
  table: Table;
  shown?: ReadonlySet<string>; // names of columns; all where it is missing
  first?: (row: number, text: string) => ComponentChildren; // the first cell
}

export function DataTable({ label, table, shown, first }: Props): JSX.Element {
  const [sort, setSort] = useState<Sort | null>(null);
  const [isWhole, setWhole] = useState(false);
  const { isPrinting } = useTheme();
  const place = useMore();
  const columns = table.columns.filter((column, index) => index === 0 || !shown || shown.has(column.name));
  const best = useMemo(
    () => new Set(table.best.map(([row, column]) => `${row} ${table.columns[column].name}`)),
    [table],
  );
  const count = table.columns[0]?.values.length ?? 0;
  const rows = useMemo(() => sorted(table.columns, sort, count), [table, sort]);
  const drawn = isWhole || isPrinting ? rows : rows.slice(0, AT_ONCE);
  return (
    <div class="wide" ref={place} tabIndex={0} role="group" aria-label={label}>
      <table class="plain data" aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Heading key={column.name} column={column} sort={sort} onSort={setSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {drawn.map((row) => (
            <tr key={row} data-row={row}>
              <th scope="row" data-column={columns[0].name}>
                {first ? first(row, text(columns[0], row)) : <Name text={text(columns[0], row)} />}
              </th>
              {table.failures[row] === undefined ? (
                columns
                  .slice(1)
                  .map((column) => (
                    <Cell key={column.name} column={column} row={row} isBest={best.has(`${row} ${column.name}`)} />
                  ))
              ) : (
                <td class="failure" colSpan={columns.length - 1}>
                  failed: <bdi>{table.failures[row]}</bdi>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {drawn.length < rows.length && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {rows.length.toLocaleString("en")} rows
        </button>
      )}
    </div>
  );
}

function text(column: Column, row: number): string {
  return format(column.values[row], column.unit);
}

function Cell({ column, row, isBest }: { column: Column; row: number; isBest: boolean }): JSX.Element {
  const written = text(column, row);
  const isWord = isText(column.unit);
  return (
    <td
      class={isWord ? "" : "number"}
      data-column={column.name}
      data-value={column.values[row] ?? ""}
      data-best={isBest}
    >
      {isWord ? <Name text={written} /> : written}
      {isBest && <span class="unseen"> (best)</span>}
    </td>
  );
}

interface HeadingProps {
  column: Column;
  sort: Sort | null;
  onSort: (sort: Sort | null) => void;
}

function Heading({ column, sort, onSort }: HeadingProps): JSX.Element {
  const direction = sort?.column !== column.name ? "none" : sort.descending ? "descending" : "ascending";
  return (
    <th scope="col" aria-sort={direction} data-column={column.name} class={isText(column.unit) ? "" : "number"}>
      <button type="button" class="sort" onClick={() => onSort(next(sort, column.name, column.unit))}>
        {column.heading}
        <span aria-hidden="true" class="arrow" data-direction={direction} />
      </button>
    </th>
  );
}
