/** What does each layer cost? The table of the command line, with a bar of the chosen figure, to be searched and sorted. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Column, Model } from "./data";
import { format } from "./format";
import { firstWidth, Grid, type GridColumn } from "./Grid";
import { LayerTools } from "./LayerTools";
import { Name } from "./Name";
import { comparison, isText, next, type Sort } from "./sort";
import { share, sums } from "./sums";
import { type Colours, colourOf } from "./theme";
import { ancestors, everything, isLeaf, matching, toggled, type Tree, unfolded, visible } from "./tree";

const AT_FIRST = 45; // rows
const LONGEST = 26; // characters of a text
const FIRST = "layer"; // the column that is always there
const BAR = "bar";

interface Props {
  model: Model;
  tree: Tree;
  measure: number;
  selected: number;
  colours: Colours;
  target: { row: number } | null; // to be shown
  onSelect: (row: number) => void;
}

export function LayerTable(props: Props): JSX.Element {
  const { model, tree, target } = props;
  const [expanded, setExpanded] = useState(() => unfolded(tree, AT_FIRST));
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set()); // while something is searched for
  const [query, setQuery] = useState("");
  const [isFlat, setFlat] = useState(false);
  const [sort, setSort] = useState<Sort | null>(null);
  const [shown, setShown] = useState(() => shownAtFirst(model));

  const matches = useMemo(() => matching(query, [model.paths, model.classes]), [query, model]);
  useEffect(() => setFolded(new Set()), [query]);
  useEffect(() => {
    if (!target) return;
    setQuery("");
    setExpanded((before) => new Set([...before, ...ancestors(tree, target.row)]));
  }, [target]);

  const open = useMemo(() => (matches ? without(everything(tree), folded) : expanded), [matches, folded, expanded]);
  const compare = useMemo(() => comparing(props, sort), [sort, props.measure, model]);
  const entries = useMemo(
    () => visible(tree, { expanded: open, matches, isFlat, compare }),
    [tree, open, matches, isFlat, compare],
  );
  const columns = useMemo(
    () => gridColumns(props, shown, isFlat),
    [model, shown, isFlat, props.measure, props.colours],
  );
  const unit = (name: string) => model.layers.columns.find((column) => column.name === name)?.unit ?? "share";
  return (
    <section class="layers" aria-labelledby="layers-heading">
      <h2 id="layers-heading">Layers</h2>
      <LayerTools
        model={model}
        query={query}
        found={matches ? `${matches.size.toLocaleString("en")} of ` : ""}
        count={model.paths.length}
        isFlat={isFlat}
        shown={shown}
        onQuery={setQuery}
        onFlat={setFlat}
        onShown={setShown}
        onUnfold={(all) =>
          matches ? setFolded(all ? new Set() : everything(tree)) : setExpanded(all ? everything(tree) : new Set([0]))
        }
      />
      <Grid
        label={`Layers of ${model.label}`}
        columns={columns}
        entries={entries}
        isTree={!isFlat}
        selected={props.selected}
        sort={sort}
        target={target}
        path={(row) => model.paths[row]}
        parent={(row) => tree.parents[row]}
        onSelect={props.onSelect}
        onToggle={(row) => (matches ? setFolded(toggled(folded, row)) : setExpanded(toggled(expanded, row)))}
        onSort={(name) => setSort(next(sort, name, unit(name)))}
      />
    </section>
  );
}

/** The bar says what a column of shares says. */
export function shownAtFirst(model: Model): Set<string> {
  return new Set(model.shown.filter((name) => !name.endsWith("share")));
}

function without(rows: Set<number>, removed: ReadonlySet<number>): Set<number> {
  for (const row of removed) rows.delete(row);
  return rows;
}

function comparing({ model, measure }: Props, sort: Sort | null): ((a: number, b: number) => number) | null {
  if (!sort) return null;
  if (sort.column === BAR) {
    const known = sums(model.measures[measure], model.parents);
    const shares = model.parents.map((_, row) => share(known, row));
    return comparison(shares, "share", sort.descending);
  }
  const column = model.layers.columns.find((candidate) => candidate.name === sort.column);
  return column ? comparison(column.values, column.unit, sort.descending) : null;
}

// Columns -------------------------------------------------------------------------------------------------------------

function gridColumns(props: Props, shown: ReadonlySet<string>, isFlat: boolean): GridColumn[] {
  const { model } = props;
  const others = model.layers.columns.filter((column) => column.name !== FIRST && shown.has(column.name));
  const bar = model.measures.length ? [barColumn(props)] : [];
  return [layerColumn(props, isFlat), ...bar, ...others.map((column) => plainColumn(column, props))];
}

function layerColumn({ model, tree }: Props, isFlat: boolean): GridColumn {
  const names = model.layers.columns.find((column) => column.name === FIRST)!;
  const text = (row: number) => (isFlat && model.paths[row] ? model.paths[row] : String(names.values[row]));
  return {
    name: FIRST,
    heading: names.heading,
    isText: true,
    width: firstWidth(
      model.paths.map((_, row) => text(row)),
      isFlat ? [] : names.values.map((_, row) => tree.level[row]),
    ),
    sortable: true,
    value: text,
    cell: (row) => <Name text={text(row)} />,
  };
}

function plainColumn(column: Column, { model, colours }: Props): GridColumn {
  const cell = (row: number): JSX.Element | string => {
    const text = format(column.values[row], column.unit);
    if (!isText(column.unit)) return text;
    if (column.name !== "kind") return <Name text={text} />;
    return (
      <>
        <span class="swatch" aria-hidden="true" style={{ background: colourOf(colours, model.classes[row]) }} />
        <Name text={text} />
      </>
    );
  };
  return {
    name: column.name,
    heading: column.heading,
    title: `${column.heading} (--columns ${column.name})`,
    isText: isText(column.unit),
    width: widthOf(column) + (column.name === "kind" ? 4 : 0),
    sortable: true,
    value: (row) => column.values[row],
    cell,
  };
}

function barColumn({ model, tree, measure }: Props): GridColumn {
  const { heading } = model.measures[measure];
  const known = sums(model.measures[measure], model.parents);
  return {
    name: BAR,
    heading: `${heading} %`,
    title: `Share of the model's ${heading}, with the layers in it`,
    isText: false,
    width: Math.max(15, heading.length + 4),
    sortable: true,
    value: (row) => share(known, row),
    cell: (row) => {
      const part = share(known, row);
      return (
        <span class="bar-cell">
          <span class="bar" data-leaf={isLeaf(tree, row)} aria-hidden="true">
            <span style={{ width: `${100 * (part ?? 0)}%` }} />
          </span>
          <span>{part === null ? "?" : `${format(part, "share")} %`}</span>
        </span>
      );
    },
  };
}

const widths = new WeakMap<Column, number>();

/** Of the longest text, or of the largest number: in characters. */
function widthOf(column: Column): number {
  let width = widths.get(column);
  if (width === undefined) {
    width = Math.max(column.heading.length + 2, isText(column.unit) ? longest(column) : widest(column));
    widths.set(column, width);
  }
  return width;
}

function longest({ values }: Column): number {
  return Math.min(
    LONGEST,
    values.reduce<number>((most, value) => Math.max(most, String(value ?? "").length + 1), 0),
  );
}

function widest({ values, unit }: Column): number {
  const largest = values.reduce((most, value) => (Math.abs(Number(value)) > Math.abs(Number(most)) ? value : most), 0);
  return format(largest, unit).length;
}
