/** Which rows of a tree of layers are seen? Pure functions of the tree, of what is unfolded, sorted and searched. */

export interface Tree {
  parents: readonly number[]; // of each row; the first row is the root and stands for itself
  children: readonly (readonly number[])[];
  level: readonly number[]; // of the root: 0
}

/** A row that is seen, in its place. */
export interface Entry {
  row: number;
  level: number;
  isMatch: boolean; // false: it is there for what is in it
  expanded: boolean | null; // null: nothing is in it
}

export interface View {
  expanded: ReadonlySet<number>;
  matches: ReadonlySet<number> | null; // null: nothing is searched for
  isFlat: boolean; // the layers that have none in them alone, without the tree
  compare: ((one: number, other: number) => number) | null; // null: the model's own order
}

/** Rows are in preorder, so that a parent comes before its children. */
export function treeOf(parents: readonly number[]): Tree {
  const children: number[][] = parents.map(() => []);
  const level = parents.map(() => 0);
  for (let row = 1; row < parents.length; row++) {
    children[parents[row]].push(row);
    level[row] = level[parents[row]] + 1;
  }
  return { parents, children, level };
}

export function isLeaf(tree: Tree, row: number): boolean {
  return tree.children[row].length === 0;
}

/** From the root to the row that it is in: of the row itself the last. */
export function ancestors(tree: Tree, row: number): number[] {
  const above: number[] = [];
  for (let at = row; at !== 0; at = tree.parents[at]) above.push(tree.parents[at]);
  return above.reverse();
}

const FEW = 12; // rows that say too little by themselves

/** What is unfolded at first: the root, and whole levels, as many as `most` rows have room for, or to see a few. */
export function unfolded(tree: Tree, most: number): Set<number> {
  const rows: number[] = []; // how many stand at each level
  for (const level of tree.level) rows[level] = (rows[level] ?? 0) + 1;
  let [seen, depth] = [rows[0] + (rows[1] ?? 0), 1];
  while (depth < rows.length - 1 && (seen < FEW || seen + rows[depth + 1] <= most)) seen += rows[++depth];
  return rowsWith(tree, (row) => tree.level[row] < depth);
}

/** All that has something in it. */
export function everything(tree: Tree): Set<number> {
  return rowsWith(tree, () => true);
}

function rowsWith(tree: Tree, holds: (row: number) => boolean): Set<number> {
  const rows = new Set<number>();
  tree.children.forEach((inside, row) => inside.length && holds(row) && rows.add(row));
  return rows;
}

/** With the item, or without it if it was there. */
export function toggled<Item>(items: ReadonlySet<Item>, item: Item): Set<Item> {
  const changed = new Set(items);
  if (!changed.delete(item)) changed.add(item);
  return changed;
}

export function visible(tree: Tree, view: View): Entry[] {
  if (view.isFlat) return flat(tree, view);
  const kept = view.matches && withAncestors(tree, view.matches);
  const entries: Entry[] = [];
  const waiting = [0];
  while (waiting.length) {
    const row = waiting.pop()!;
    if (kept && !kept.has(row) && row !== 0) continue;
    const inside = kept ? tree.children[row].filter((child) => kept.has(child)) : tree.children[row];
    const isOpen = inside.length > 0 && view.expanded.has(row);
    entries.push({
      row,
      level: tree.level[row],
      isMatch: view.matches?.has(row) ?? true,
      expanded: inside.length ? isOpen : null,
    });
    if (isOpen) for (const child of ordered(inside, view).reverse()) waiting.push(child);
  }
  return entries;
}

function flat(tree: Tree, view: View): Entry[] {
  const leaves = tree.parents.map((_, row) => row).filter((row) => isLeaf(tree, row));
  const rows = view.matches ? leaves.filter((row) => view.matches!.has(row)) : leaves;
  return ordered(rows, view).map((row) => ({ row, level: 0, isMatch: true, expanded: null }));
}

/** A copy; rows that compare alike stay in the model's order. */
function ordered(rows: readonly number[], view: View): number[] {
  return view.compare ? [...rows].sort(view.compare) : [...rows];
}

function withAncestors(tree: Tree, matches: ReadonlySet<number>): Set<number> {
  const kept = new Set<number>([0]);
  for (const match of matches) for (let row = match; !kept.has(row); row = tree.parents[row]) kept.add(row);
  return kept;
}

/** The rows whose path or class has the text in it, or is the pattern where it has `*` or `?`; null for no text. */
export function matching(query: string, texts: readonly (readonly string[])[]): Set<number> | null {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return null;
  const pattern = /[*?]/.test(wanted) ? shellPattern(wanted) : null;
  const rows = new Set<number>();
  for (const column of texts) {
    column.forEach((text, row) => {
      const low = text.toLowerCase();
      if (pattern ? pattern.test(low) : low.includes(wanted)) rows.add(row);
    });
  }
  return rows;
}

function shellPattern(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*+/g, "[^]*").replace(/\?/g, "[^]")}$`);
}
