/** In which order do rows stand? By a column's values, what is not known at the end. */
import type { Column, Unit, Value } from "./data";
import { number } from "./format";

export interface Sort {
  column: string;
  descending: boolean;
}

const TEXTS: ReadonlySet<Unit> = new Set(["text", "shape"]);
const words = new Intl.Collator("en", { numeric: true });

export function isText(unit: Unit): boolean {
  return TEXTS.has(unit);
}

/** What a click on a column's heading asks for next: the useful direction, the other, the own order. */
export function next(sort: Sort | null, column: string, unit: Unit): Sort | null {
  const first = !isText(unit);
  if (sort?.column !== column) return { column, descending: first };
  return sort.descending === first ? { column, descending: !first } : null;
}

export function comparison(
  values: readonly Value[],
  unit: Unit,
  descending: boolean,
): (a: number, b: number) => number {
  const sign = descending ? -1 : 1;
  if (isText(unit)) return (a, b) => sign * words.compare(String(values[a] ?? ""), String(values[b] ?? ""));
  const known = values.map(number);
  return (a, b) => {
    const [one, other] = [known[a], known[b]];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return sign * (one - other);
  };
}

export function sorted(columns: readonly Column[], sort: Sort | null, count: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  const column = sort && columns.find((candidate) => candidate.name === sort.column);
  return column ? rows.sort(comparison(column.values, column.unit, sort.descending)) : rows;
}
