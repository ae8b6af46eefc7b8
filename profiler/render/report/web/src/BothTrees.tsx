/** How do the layers of two models stand beside each other? As one tree, with a figure before and after. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Aligned } from "./aligned";
import type { Model, Unit, Value } from "./data";
import { format } from "./format";
import { BothTools } from "./BothTools";
import { firstWidth, Grid, type GridColumn } from "./Grid";
import { Name } from "./Name";
import { comparison, isText, next, type Sort } from "./sort";
import { firstMeasure, type Sums, sums } from "./sums";
import { ancestors, everything, matching, toggled, unfolded, visible } from "./tree";

interface Props {
  first: Model;
  second: Model;
  both: Aligned;
  selected: number | null;
  target: { row: number } | null;
  onSelect: (row: number) => void;
}

const AT_FIRST = 45; // rows
const WORDS = 24; // characters

export function BothTrees(props: Props): JSX.Element {
  const { both, second, target } = props;
  const { tree } = both;
  const [expanded, setExpanded] = useState(() => opened(both));
  const [onlyChanged, setOnlyChanged] = useState(both.change.some(Boolean));
  const [query, setQuery] = useState("");
  const [measure, setMeasure] = useState(() => firstMeasure(second.measures));
  const [sort, setSort] = useState<Sort | null>(null);
  const columns = useMemo(() => columnsOf(props, measure), [both, measure]);
  const matches = useMemo(() => matched(props, query, onlyChanged), [both, query, onlyChanged]);
  const compare = useMemo(() => comparing(columns, both, sort), [columns, sort]);
  const entries = useMemo(
    () => visible(tree, { expanded: query ? everything(tree) : expanded, matches, isFlat: false, compare }),
    [both, expanded, matches, compare],
  );
  useEffect(() => {
    if (target) setExpanded((before) => new Set([...before, ...ancestors(tree, target.row)]));
  }, [target]);
  return (
    <section class="layers pair" aria-labelledby="both-heading">
      <h2 id="both-heading">Both models, layer by layer</h2>
      <BothTools
        measures={second.measures}
        measure={measure}
        query={query}
        found={matches ? matches.size : both.change.length}
        count={both.change.length}
        onlyChanged={onlyChanged}
        onMeasure={setMeasure}
        onQuery={setQuery}
        onOnlyChanged={setOnlyChanged}
        onUnfold={(all) => setExpanded(all ? everything(tree) : new Set([0]))}
      />
      <Grid
        label={`Layers of ${props.first.label} and ${second.label}`}
        columns={columns}
        entries={entries}
        isTree
        selected={props.selected}
        sort={sort}
        target={target}
        path={(row) => pathOf(props, row)}
        parent={(row) => tree.parents[row]}
        status={(row) => both.change[row]?.status ?? ""}
        onSelect={props.onSelect}
        onToggle={(row) => setExpanded(toggled(expanded, row))}
        onSort={(name) =>
          setSort(next(sort, name, columns.find((column) => column.name === name)!.isText ? "text" : "exact"))
        }
      />
    </section>
  );
}

/** All that holds a change, if that is not too much. */
function opened(both: Aligned): Set<number> {
  const holding = new Set(both.change.flatMap((change, row) => (change ? ancestors(both.tree, row) : [])));
  const rows = [...holding].reduce((sum, row) => sum + both.tree.children[row].length, 0);
  return rows && rows <= 4 * AT_FIRST ? holding : unfolded(both.tree, AT_FIRST);
}

function pathOf({ first, second, both }: Props, row: number): string {
  const [before, after] = [both.before[row], both.after[row]];
  return after === null ? first.paths[before!] : second.paths[after];
}

function matched(props: Props, query: string, onlyChanged: boolean): Set<number> | null {
  const { both, first, second } = props;
  const texts = (names: "paths" | "classes"): string[][] => [
    both.before.map((row) => (row === null ? "" : first[names][row])),
    both.after.map((row) => (row === null ? "" : second[names][row])),
  ];
  const found = matching(query, [...texts("paths"), ...texts("classes")]);
  if (!onlyChanged) return found;
  const rows = found ? [...found] : both.change.map((_, row) => row);
  return new Set(rows.filter((row) => both.change[row]));
}

function comparing(columns: GridColumn[], both: Aligned, sort: Sort | null): ((a: number, b: number) => number) | null {
  const column = columns.find(({ name }) => name === sort?.column);
  if (!sort || !column) return null;
  return comparison(
    both.change.map((_, row) => column.value(row)),
    column.isText ? "text" : "exact",
    sort.descending,
  );
}

// Columns --------------------------------------------------------------------------------------------------------------

function columnsOf(props: Props, measure: number): GridColumn[] {
  const { first, second, both } = props;
  const { name, heading, unit } = second.measures[measure];
  const [old, now] = [amounts(first, name, both.before), amounts(second, name, both.after)];
  const difference = (row: number): number | null =>
    old(row) === null || now(row) === null ? null : now(row)! - old(row)!;
  const figure = (
    id: string,
    title: string,
    width: number,
    value: (row: number) => Value,
    written: (v: Value) => string,
  ): GridColumn => ({
    name: id,
    heading: title,
    isText: false,
    width,
    sortable: true,
    value,
    cell: (row) => written(value(row)),
  });
  const plain = (value: Value): string => format(value, unit);
  return [
    ...wordColumns(props),
    figure("before", `${heading} before`, Math.max(14, heading.length + 8), absent(old, both.before), plain),
    figure("after", `${heading} after`, Math.max(14, heading.length + 7), absent(now, both.after), plain),
    figure("difference", "Difference", 16, difference, (value) => signed(value, unit)),
    figure(
      "growth",
      "%",
      9,
      (row) => (old(row) ? quotient(difference(row), old(row)!) : ""),
      (value) => format(value, "growth"),
    ),
    ...whatColumn(props),
  ];
}

/** None where it would say nothing. */
function whatColumn(props: Props): GridColumn[] {
  const longest = props.both.change.reduce((most, _, row) => Math.max(most, whatElse(props, row).length), 0);
  const width = Math.max(8, Math.min(WORDS + 16, longest));
  return longest ? [words("What", "what", width, (row) => whatElse(props, row))] : [];
}

/** What changed, without what the columns of both layers say. */
function whatElse({ first, second, both }: Props, row: number): string {
  const what = both.change[row]?.what ?? "";
  const [before, after] = [kindOf(first, both.before[row]), kindOf(second, both.after[row])];
  if ([before, after, `${before} became ${after}`].includes(what)) return "";
  return after && what.startsWith(`${after}: `) ? what.slice(after.length + 2) : what;
}

function wordColumns(props: Props): GridColumn[] {
  const { first, second, both } = props;
  const name = (row: number): string => pathOf(props, row).split(".").pop() || second.label;
  return [
    words(
      "Layer",
      "layer",
      firstWidth(
        both.change.map((_, row) => name(row)),
        both.tree.level,
      ),
      name,
    ),
    {
      ...words("Change", "change", 10, (row) => both.change[row]?.status ?? ""),
      cell: (row) => <Status word={both.change[row]?.status ?? ""} />,
    },
    words("Layer before", "layer_before", WORDS, (row) => kindOf(first, both.before[row])),
    words("Layer after", "layer_after", WORDS, (row) => kindOf(second, both.after[row])),
  ];
}

function words(heading: string, name: string, width: number, text: (row: number) => string): GridColumn {
  return { name, heading, isText: true, width, sortable: true, value: text, cell: (row) => <Name text={text(row)} /> };
}

function Status({ word }: { word: string }): JSX.Element | null {
  return word ? (
    <span class="status" data-status={word}>
      {word}
    </span>
  ) : null;
}

function kindOf(model: Model, row: number | null): string {
  if (row === null) return "";
  const kind = model.layers.columns.find(({ name, unit }) => name === "kind" && isText(unit));
  return String(kind ? kind.values[row] : model.classes[row]);
}

/** What a layer has of the figure, with the layers in it: 0 where it is not there, null where it is not known. */
function amounts(model: Model, measure: string, rows: (number | null)[]): (row: number) => number | null {
  const known = model.measures.find(({ name }) => name === measure);
  const totals: Sums | null = known ? sums(known, model.parents) : null;
  return (row) => {
    const at = rows[row];
    if (at === null) return 0;
    return totals === null || (!totals.total[at] && totals.unknown[at]) ? null : totals.total[at];
  };
}

function absent(amount: (row: number) => number | null, rows: (number | null)[]): (row: number) => Value {
  return (row) => (rows[row] === null ? "" : amount(row));
}

function quotient(part: number | null, whole: number): number | null {
  return part === null ? null : part / whole;
}

function signed(value: Value, unit: Unit): string {
  if (value === null || !Number(value)) return format(value, "difference");
  if (unit === "exact" || unit === "count" || unit === "amount") return format(value, "difference");
  return `${Number(value) < 0 ? "-" : "+"}${format(Math.abs(Number(value)), unit)}`;
}
