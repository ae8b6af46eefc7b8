/** Which layer of one model stands beside which of another? One tree of both, each layer beside what it became. */
import type { Change, Model } from "./data";
import { type Tree, treeOf } from "./tree";

export interface Aligned {
  tree: Tree;
  before: (number | null)[]; // the row in the first model, of each row of the tree
  after: (number | null)[];
  change: (Change | null)[];
}

type Pair = [before: number | null, after: number | null];

export function aligned(first: Model, second: Model, changes: readonly Change[]): Aligned {
  const [old, now] = [treeOf(first.parents), treeOf(second.parents)];
  const mates = matesOf(first, second, changes);
  const rows: { pair: Pair; parent: number }[] = [];
  const waiting: { pair: Pair; parent: number }[] = [{ pair: [0, 0], parent: 0 }];
  while (waiting.length) {
    const next = waiting.pop()!;
    const parent = rows.push(next) - 1;
    for (const pair of inside(next.pair, old, now, mates).reverse()) waiting.push({ pair, parent });
  }
  const changeOf = changesByRow(changes);
  return {
    tree: treeOf(rows.map(({ parent }) => parent)),
    before: rows.map(({ pair }) => pair[0]),
    after: rows.map(({ pair }) => pair[1]),
    change: rows.map(({ pair }) => changeOf(pair)),
  };
}

interface Mates {
  before: Map<number, number>; // by the row in the second model
  after: Map<number, number>; // by the row in the first
}

/** As the changes say, and by the path for what did not change. */
function matesOf(first: Model, second: Model, changes: readonly Change[]): Mates {
  const mates: Mates = { before: new Map([[0, 0]]), after: new Map([[0, 0]]) };
  const pair = (before: number, after: number): void => {
    mates.before.set(after, before);
    mates.after.set(before, after);
  };
  const gone = new Set<number>();
  const added = new Set<number>();
  for (const { before, after } of changes) {
    if (before !== null && after !== null) pair(before, after);
    else if (before !== null) gone.add(before);
    else if (after !== null) added.add(after);
  }
  const paths = new Map(first.paths.map((path, row) => [path, row]));
  second.paths.forEach((path, after) => {
    const before = paths.get(path);
    if (before === undefined || gone.has(before) || added.has(after)) return;
    if (!mates.before.has(after) && !mates.after.has(before)) pair(before, after);
  });
  return mates;
}

/** The second model's layers in their order; those of the first that have no mate follow the layer that they followed. */
function inside([before, after]: Pair, old: Tree, now: Tree, mates: Mates): Pair[] {
  const present = after === null ? [] : now.children[after];
  const here = new Set(present);
  const removed = new Map<number, Pair[]>(); // by the layer before it; -1: the first
  let anchor = -1;
  for (const row of before === null ? [] : old.children[before]) {
    const mate = mates.after.get(row);
    if (mate === undefined) removed.set(anchor, [...(removed.get(anchor) ?? []), [row, null]]);
    else if (here.has(mate)) anchor = mate;
  }
  const pairs = present.flatMap((row): Pair[] => [[mates.before.get(row) ?? null, row], ...(removed.get(row) ?? [])]);
  return [...(removed.get(-1) ?? []), ...pairs];
}

function changesByRow(changes: readonly Change[]): (pair: Pair) => Change | null {
  const byBefore = new Map(changes.flatMap((change) => (change.before === null ? [] : [[change.before, change]])));
  const byAfter = new Map(changes.flatMap((change) => (change.after === null ? [] : [[change.after, change]])));
  return ([before, after]) => byAfter.get(after ?? -1) ?? byBefore.get(before ?? -1) ?? null;
}
