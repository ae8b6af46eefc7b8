/* What is drawn of large models, and is it the whole? */
import assert from "node:assert/strict";
import { test } from "node:test";
import { aliveAt, thinned } from "../src/alive";
import { type Area, areas, inside, sources } from "../src/areas";
import type { Memory } from "../src/data";
import { summed } from "../src/sums";
import { treeOf } from "../src/tree";

const total = (parts: Area[]): number => parts.reduce((sum, { value }) => sum + value, 0);
const count = (parts: Area[]): number => parts.reduce((sum, { children }) => sum + 1 + count(children ?? []), 0);

//              model  stem  body  body.0  body.1  head
const PARENTS = [0, 0, 0, 2, 2, 0];
const TREE = treeOf(PARENTS);

test("the areas in a layer are what it amounts to, with what it has itself", () => {
  const parts = areas(TREE, summed([1, 20, 4, 30, 40, null], PARENTS), 0);
  assert.deepEqual(
    parts.map(({ row, part, value }) => [row, part, value]),
    [
      [2, "layer", 74],
      [1, "layer", 20],
      [0, "itself", 1],
    ],
  );
  assert.deepEqual(
    parts[0].children?.map(({ row, part, value }) => [row, part, value]),
    [
      [4, "layer", 40],
      [3, "layer", 30],
      [2, "itself", 4],
    ],
  );
});

test("a model without layers in it is one area, of itself", () => {
  assert.deepEqual(areas(treeOf([0]), summed([9], [0]), 0), [{ row: 0, part: "layer", count: 1, value: 9 }]);
  const known = summed([9, 0, 0], [0, 0, 0]); // all of it in its own forward
  assert.deepEqual(areas(treeOf([0, 0, 0]), known, 0), [{ row: 0, part: "layer", count: 1, value: 9 }]);
});

test("an area's figure is of the layers in it that have some of their own", () => {
  const known = summed([1, 20, 4, 30, 0, null], PARENTS);
  const of = (part: Area["part"], row: number): number[] =>
    sources(TREE, known, { row, part, count: 1, value: 1 }).sort((one, other) => one - other);
  assert.deepEqual(of("layer", 2), [2, 3]);
  assert.deepEqual(of("itself", 2), [2]);
  assert.deepEqual(of("rest", 0), [1, 2, 3]);
});

test("fifteen thousand layers are a bounded number of areas, and none is lost", () => {
  const parents = [0, 0, ...Array<number>(15_000).fill(1)];
  const known = summed([0, 0, ...Array<number>(15_000).fill(3)], parents);
  const parts = areas(treeOf(parents), known, 0);
  assert.equal(total(parts), 3 * 15_000);
  assert.equal(total(parts[0].children!), 3 * 15_000);
  assert.ok(count(parts) < 1000);
  assert.ok(parts[0].children!.some(({ part, count }) => part === "rest" && count > 14_000));
});

test("a click goes one level down, as far as there is something in it", () => {
  assert.equal(inside(TREE, 0, 4), 2);
  assert.equal(inside(TREE, 0, 2), 2);
  assert.equal(inside(TREE, 0, 1), 0);
  assert.equal(inside(TREE, 2, 4), 2);
});

test("fewer points keep the peak", () => {
  const live = Array.from({ length: 100_000 }, (_, call) => (call === 77_777 ? 9 : call % 7));
  const points = thinned(live, 1000);
  assert.equal(points.length, 1000);
  assert.ok(points.some(([call, bytes]) => call === 77_777 && bytes === 9));
  assert.ok(points.every(([call, bytes]) => live[call] === bytes));
  assert.deepEqual(thinned([5, 6], 1000), [
    [0, 5],
    [1, 6],
  ]);
});

test("what is alive at a call was born by then, and not yet dead", () => {
  const storages: Memory["storages"] = [
    [10, 0, -1, null, 0], // there before, and after
    [20, 0, 0, 2, 0],
    [30, 0, 2, 3, 0],
    [40, 0, 3, 3, 0], // gone at once
  ];
  const memory = { storages, layer: [7, 7, 8, 9] } as unknown as Memory;
  const alive = (call: number) => aliveAt(memory, call).map(({ bytes, layer }) => [bytes, layer]);
  assert.deepEqual(alive(0), [
    [20, 7],
    [10, null],
  ]);
  assert.deepEqual(alive(2), [
    [30, 8],
    [10, null],
  ]);
  assert.deepEqual(alive(3), [
    [40, 9],
    [10, null],
  ]);
});
