/** Which rectangles does the map of layers have? As many as can be seen and drawn fast, whatever the model's size. */
import type { Sums } from "./sums";
import type { Tree } from "./tree";

export type Part = "layer" | "itself" | "rest";

export interface Area {
  row: number; // of the rest: the layer that they are in
  part: Part;
  count: number; // of the rest: how many layers
  value: number;
  children?: Area[];
}

const LEVELS = 4; // that are drawn at once, besides those that have hardly more than one layer in them
const DEEPEST = 7;
const ALONE = 0.9; // of a layer: so much of it is in one of its layers, which is then no level of its own
const MOST = 150; // in one layer
const LEAST = 0.0015; // of the whole map, below the first level

/** The layers in `root`, the largest first, without those that have nothing of the figure; where none has, itself. */
export function areas(tree: Tree, sums: Sums, root: number): Area[] {
  const inside = level(tree, sums, root, { level: 1, depth: 1, least: 0, below: LEAST * sums.total[root] });
  return inside.length ? inside : [{ row: root, part: "layer", count: 1, value: sums.total[root] }];
}

/** The layers that an area's figure is of. */
export function sources(tree: Tree, sums: Sums, area: Area): number[] {
  const rows: number[] = [];
  const waiting = area.part === "rest" ? [...tree.children[area.row]] : [area.row];
  while (waiting.length) {
    const row = waiting.pop()!;
    if (sums.own[row] > 0) rows.push(row);
    if (area.part === "itself") continue;
    for (const child of tree.children[row]) if (sums.total[child] > 0) waiting.push(child);
  }
  return rows;
}

interface Place {
  level: number;
  depth: number;
  least: number; // that a layer has to have of the figure
  below: number; // that those in it have to have
}

function level(tree: Tree, sums: Sums, root: number, place: Place): Area[] {
  const inside = tree.children[root].filter((row) => sums.total[row] > 0).sort((a, b) => sums.total[b] - sums.total[a]);
  const drawn = inside.slice(0, MOST).filter((row) => sums.total[row] >= place.least);
  const rest = inside.slice(drawn.length);
  const isChain = drawn.length > 0 && sums.total[drawn[0]] >= ALONE * sums.total[root];
  const next = {
    ...place,
    level: place.level + Number(!isChain),
    depth: place.depth + 1,
    least: isChain ? place.least : place.below,
  };
  const isLast = next.level > LEVELS || next.depth > DEEPEST;
  const parts: Area[] = drawn.map((row) => {
    const children = isLast ? [] : level(tree, sums, row, next);
    return { row, part: "layer", count: 1, value: sums.total[row], ...(isWorthIt(children) ? { children } : {}) };
  });
  if (inside.length && sums.own[root] > 0) parts.push({ row: root, part: "itself", count: 1, value: sums.own[root] });
  const value = rest.reduce((sum, row) => sum + sums.total[row], 0);
  if (rest.length) parts.push({ row: root, part: "rest", count: rest.length, value });
  return parts;
}

/** One rectangle that says "and more" tells less than the layer's name. */
function isWorthIt(children: Area[]): boolean {
  return children.some((area) => area.part === "layer");
}

/** The layer that a click on a rectangle shows from inside: one level down, as far as there is something in it. */
export function inside(tree: Tree, root: number, row: number): number {
  let at = row;
  while (at !== root && at !== 0 && tree.parents[at] !== root) at = tree.parents[at];
  return tree.children[at].length ? at : root;
}
