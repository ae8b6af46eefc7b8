/** How are many rows of a tree shown as a table? A treegrid: its rows unfold, sort, and are walked by keys.
 *
 * Keys are those of the ARIA Authoring Practices for a treegrid whose rows have the focus.
 */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Value } from "./data";
import { useMore } from "./hooks";
import type { Sort } from "./sort";
import { useTheme } from "./theme";
import type { Entry } from "./tree";
import { useVirtual } from "./virtual";

export interface GridColumn {
  name: string;
  heading: string;
  title?: string;
  isText: boolean;
  width: number; // in characters
  value: (row: number) => Value;
  cell: (row: number) => ComponentChildren;
  sortable: boolean;
}

export interface GridProps {
  label: string;
  columns: GridColumn[]; // the first one has the tree
  entries: Entry[];
  isTree: boolean;
  selected: number | null;
  sort: Sort | null;
  path: (row: number) => string;
  parent: (row: number) => number;
  status?: (row: number) => string; // a word for the row's look
  onSelect: (row: number) => void;
  onToggle: (row: number) => void;
  onSort: (column: string) => void;
  target: { row: number } | null; // to be scrolled to, once for each object
}

const ROW = 32;
const HEAD = 40;
const PRINTED = 2000; // rows
const PADDING = 2.5; // characters that a cell's padding takes

export function Grid(props: GridProps): JSX.Element {
  const { entries, columns } = props;
  const { isPrinting } = useTheme();
  const scrolled = useMore();
  const [active, setActive] = useState(0); // the row that has the focus, or gets it first
  const at = Math.max(
    0,
    entries.findIndex((entry) => entry.row === active),
  );
  const [items, virtual] = useVirtual({ count: entries.length, height: ROW, above: HEAD, scrolled, kept: at });
  const wantsFocus = useRef(false);
  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    const row = scrolled.current?.querySelector<HTMLElement>(`[data-row="${active}"]`);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  const go = (index: number, focus = true): void => {
    const to = Math.min(entries.length - 1, Math.max(0, index));
    wantsFocus.current = focus;
    setActive(entries[to].row);
    virtual.scrollToIndex(to, { align: "auto" });
  };
  useEffect(() => {
    const index = props.target ? entries.findIndex((entry) => entry.row === props.target?.row) : -1;
    if (index >= 0) go(index, false);
  }, [props.target]);

  const shown = isPrinting ? entries.slice(0, PRINTED).map((_, index) => index) : items.map((item) => item.index);
  const template = ["minmax(var(--first), 1fr)", ...columns.slice(1).map((c) => `${c.width + PADDING}ch`)];
  const rest = columns.slice(1).reduce((sum, column) => sum + column.width + PADDING, 0);
  return (
    <div class="grid-scroll" ref={scrolled} data-printing={isPrinting}>
      <table
        role="treegrid"
        class="grid"
        aria-label={props.label}
        aria-rowcount={entries.length + 1}
        aria-colcount={columns.length}
        style={{ "--columns": template.join(" "), "--rest": `${rest}ch`, "--wanted": `${columns[0].width}ch` }}
        onKeyDown={(event) => onKey(event, props, at, go)}
      >
        <Head columns={columns} sort={props.sort} onSort={props.onSort} />
        <tbody role="rowgroup" style={{ height: isPrinting ? "auto" : `${entries.length * ROW}px` }}>
          {shown.map((index) => (
            <Row
              key={entries[index].row}
              props={{ ...props, isPrinting }}
              entry={entries[index]}
              index={index}
              isActive={index === at}
              onFocus={() => setActive(entries[index].row)}
            />
          ))}
        </tbody>
      </table>
      {isPrinting && <Unprinted count={entries.length - PRINTED} />}
    </div>
  );
}

function Unprinted({ count }: { count: number }): JSX.Element | null {
  return count > 0 ? <p>… and {count.toLocaleString("en")} more rows.</p> : null;
}

function Head({ columns, sort, onSort }: Pick<GridProps, "columns" | "sort" | "onSort">): JSX.Element {
  return (
    <thead role="rowgroup">
      <tr role="row" aria-rowindex={1}>
        {columns.map((column, index) => {
          const direction = sort?.column !== column.name ? "none" : sort.descending ? "descending" : "ascending";
          return (
            <th
              key={column.name}
              role="columnheader"
              scope="col"
              aria-colindex={index + 1}
              aria-sort={column.sortable ? direction : undefined}
              data-column={column.name}
              class={column.isText ? "" : "number"}
              title={column.title}
            >
              {column.sortable ? (
                <button type="button" class="sort" onClick={() => onSort(column.name)}>
                  {column.heading}
                  <span aria-hidden="true" class="arrow" data-direction={direction} />
                </button>
              ) : (
                column.heading
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

interface RowProps {
  props: GridProps & { isPrinting: boolean };
  entry: Entry;
  index: number;
  isActive: boolean;
  onFocus: () => void;
}

function Row({ props, entry, index, isActive, onFocus }: RowProps): JSX.Element {
  const { row, level, expanded } = entry;
  return (
    <tr
      role="row"
      data-row={row}
      data-path={props.path(row)}
      data-status={props.status?.(row)}
      data-match={entry.isMatch}
      class={index % 2 ? "odd" : ""}
      aria-rowindex={index + 2}
      aria-level={props.isTree ? level + 1 : undefined}
      aria-expanded={expanded ?? undefined}
      aria-selected={props.selected === row}
      tabIndex={isActive ? 0 : -1}
      style={{ top: props.isPrinting ? "auto" : `${index * ROW}px` }}
      onFocus={onFocus}
      onClick={() => props.onSelect(row)}
    >
      {props.columns.map((column, place) => (
        <td
          key={column.name}
          role={place === 0 ? "rowheader" : "gridcell"}
          aria-colindex={place + 1}
          data-column={column.name}
          data-value={column.value(row) ?? ""}
          class={column.isText ? "" : "number"}
        >
          {place === 0 && <Toggle level={level} expanded={expanded} onToggle={() => props.onToggle(row)} />}
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

const DEEPEST = 14; // levels that are indented; the number of a deeper one stands in its row

interface ToggleProps {
  level: number;
  expanded: boolean | null;
  onToggle: () => void;
}

/** The row says by itself whether it is unfolded, and has the keys for it; this is for pointers. */
function Toggle({ level, expanded, onToggle }: ToggleProps): JSX.Element {
  const click = (event: Event): void => {
    if (expanded === null) return;
    event.stopPropagation();
    onToggle();
  };
  return (
    <>
      <span
        class="toggle"
        aria-hidden="true"
        data-expanded={expanded === null ? "none" : expanded}
        style={{ marginLeft: `min(${Math.min(level, DEEPEST)} * var(--indent), 40%)` }}
        onClick={click}
      />
      {level > DEEPEST && (
        <span class="level" aria-hidden="true">
          {level}
        </span>
      )}
    </>
  );
}

function onKey(event: KeyboardEvent, props: GridProps, at: number, go: (index: number) => void): void {
  if (!(event.target as HTMLElement).matches("tr") || event.ctrlKey || event.metaKey || event.altKey) return;
  const { entries } = props;
  const { row, expanded } = entries[at];
  const page = 15;
  const keys: Record<string, () => void> = {
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at - 1),
    PageDown: () => go(at + page),
    PageUp: () => go(at - page),
    Home: () => go(0),
    End: () => go(entries.length - 1),
    ArrowRight: () => (expanded === false ? props.onToggle(row) : expanded && go(at + 1)),
    ArrowLeft: () => (expanded ? props.onToggle(row) : toParent(props, at, go)),
    Enter: () => props.onSelect(row),
    " ": () => props.onSelect(row),
  };
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function toParent(props: GridProps, at: number, go: (index: number) => void): void {
  const parent = props.parent(props.entries[at].row);
  const index = props.entries.findIndex((entry) => entry.row === parent);
  if (props.isTree && index >= 0) go(index);
}

/** Of a first column: the longest name with what it is indented by, in characters. */
export function firstWidth(names: readonly string[], levels: readonly number[]): number {
  const width = (name: string, row: number): number => name.length + 2 * Math.min(levels[row] ?? 0, DEEPEST);
  return 7 + names.reduce((most, name, row) => Math.max(most, width(name, row)), 0);
}
