/* Which rows does a tree show? */
import assert from "node:assert/strict";
import { test } from "node:test";
import { comparison, next, sorted } from "../src/sort";
import { share, summed } from "../src/sums";
import { ancestors, everything, matching, treeOf, unfolded, visible, type View } from "../src/tree";

//              model  stem  body  body.0  body.0.conv  body.1  head
const PARENTS = [0, 0, 0, 2, 3, 2, 0];
const PATHS = ["", "stem", "body", "body.0", "body.0.conv", "body.1", "head"];
const CLASSES = ["Net", "Conv2d", "Sequential", "Block", "Conv2d", "Block", "Linear"];
const TREE = treeOf(PARENTS);
const PLAIN: View = { expanded: everything(TREE), matches: null, isFlat: false, compare: null };

const rows = (view: Partial<View>): number[] => visible(TREE, { ...PLAIN, ...view }).map((entry) => entry.row);

test("a tree that is unfolded is in the model's order", () => {
  assert.deepEqual(rows({}), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(TREE.level, [0, 1, 1, 2, 3, 2, 1]);
  assert.deepEqual(ancestors(TREE, 4), [0, 2, 3]);
});

test("what is folded hides what is in it", () => {
  assert.deepEqual(rows({ expanded: new Set([0]) }), [0, 1, 2, 6]);
  assert.deepEqual(rows({ expanded: new Set([0, 2]) }), [0, 1, 2, 3, 5, 6]);
  assert.deepEqual(rows({ expanded: new Set([2]) }), [0]);
  const entries = visible(TREE, { ...PLAIN, expanded: new Set([0]) });
  assert.deepEqual(
    entries.map((entry) => entry.expanded),
    [true, null, false, null],
  );
});

test("whole levels are unfolded at first, as many as there is room for", () => {
  //                                     20 in the model, 3 in each of them, 1 in each of those
  const wide = treeOf([
    0,
    ...Array<number>(20).fill(0),
    ...Array.from({ length: 60 }, (_, i) => 1 + Math.floor(i / 3)),
    21,
  ]);
  const levels = (most: number) => Math.max(...[...unfolded(wide, most)].map((row) => wide.level[row]));
  assert.equal(levels(80), 0);
  assert.equal(levels(81), 1);
  assert.equal(levels(82), 2);
  assert.deepEqual([...unfolded(TREE, 1)], [0, 2, 3]); // so few rows are shown in any case
  assert.deepEqual([...unfolded(treeOf([0]), 9)], []);
});

test("sorting keeps the tree", () => {
  const sizes = [9, 1, 5, 4, 4, 1, null];
  const compare = comparison(sizes, "exact", true);
  assert.deepEqual(rows({ compare }), [0, 2, 3, 4, 5, 1, 6]);
  assert.deepEqual(rows({ compare, isFlat: true }), [4, 1, 5, 6]);
  assert.deepEqual(rows({ compare: comparison(sizes, "exact", false) }), [0, 1, 2, 5, 3, 4, 6]);
});

test("a search shows what matches, and where it is", () => {
  assert.deepEqual(matching("conv", [PATHS, CLASSES]), new Set([4, 1]));
  assert.deepEqual(matching("BODY.?", [PATHS, CLASSES]), new Set([3, 5]));
  assert.deepEqual(matching("body.*", [PATHS]), new Set([3, 4, 5]));
  assert.deepEqual(matching("body.0)", [PATHS]), new Set());
  assert.equal(matching("  ", [PATHS]), null);
  const matches = matching("conv2d", [PATHS, CLASSES]);
  assert.deepEqual(rows({ matches }), [0, 1, 2, 3, 4]);
  assert.deepEqual(rows({ matches, expanded: new Set([0]) }), [0, 1, 2]);
  assert.deepEqual(rows({ matches, isFlat: true }), [1, 4]);
  assert.deepEqual(rows({ matches: new Set() }), [0]);
});

test("a column's heading sorts by it, the other way, and not at all", () => {
  assert.deepEqual(next(null, "macs", "amount"), { column: "macs", descending: true });
  assert.deepEqual(next({ column: "macs", descending: true }, "macs", "amount"), { column: "macs", descending: false });
  assert.equal(next({ column: "macs", descending: false }, "macs", "amount"), null);
  assert.deepEqual(next(null, "layer", "text"), { column: "layer", descending: false });
  const column = { name: "layer", heading: "Layer", unit: "text" as const, values: ["b10", "b9", "a"] };
  assert.deepEqual(sorted([column], { column: "layer", descending: false }, 3), [2, 1, 0]);
});

test("a sum is that of what is known, and says what is not", () => {
  const sums = summed([1, 2, 0, null, "40", 5, null], PARENTS);
  assert.deepEqual([...sums.total], [48, 2, 45, 40, 40, 5, 0]);
  assert.deepEqual([...sums.unknown], [2, 0, 1, 1, 0, 0, 1]);
  assert.equal(share(sums, 2), 45 / 48);
  assert.equal(share(sums, 6), null);
  assert.equal(share(summed([0, 0], [0, 0]), 1), null);
});

test("a chain of fifteen thousand layers is no deeper than memory", () => {
  const chain = treeOf(Array.from({ length: 15_000 }, (_, row) => Math.max(0, row - 1)));
  assert.equal(visible(chain, { ...PLAIN, expanded: everything(chain) }).length, 15_000);
});
