/* Which layers of two models stand beside each other? */
import assert from "node:assert/strict";
import { test } from "node:test";
import { aligned } from "../src/aligned";
import type { Change, Model } from "../src/data";

const model = (paths: string[], parents: number[]): Model => ({ paths, parents }) as unknown as Model;
const change = (status: string, before: number | null, after: number | null): Change => ({
  status,
  before,
  after,
  what: "",
});

const BEFORE = model(["", "stem", "body", "body.0", "body.1", "head"], [0, 0, 0, 2, 2, 0]);
const AFTER = model(["", "stem", "trunk", "trunk.0", "trunk.2", "norm", "head"], [0, 0, 0, 2, 2, 0, 0]);
const CHANGES = [
  change("renamed", 2, 2),
  change("renamed", 3, 3),
  change("removed", 4, null),
  change("added", null, 4),
  change("added", null, 5),
  change("changed", 5, 6),
];

test("layers stand beside what they became, what is gone where it was", () => {
  const both = aligned(BEFORE, AFTER, CHANGES);
  assert.deepEqual(
    both.before.map((before, row) => [before, both.after[row], both.change[row]?.status ?? ""]),
    [
      [0, 0, ""],
      [1, 1, ""],
      [2, 2, "renamed"],
      [3, 3, "renamed"],
      [4, null, "removed"],
      [null, 4, "added"],
      [null, 5, "added"],
      [5, 6, "changed"],
    ],
  );
  assert.deepEqual(both.tree.parents, [0, 0, 0, 2, 2, 2, 0, 0]);
});

test("every layer of both models is there once", () => {
  const both = aligned(BEFORE, AFTER, CHANGES);
  const rows = (side: (number | null)[]) => side.filter((row) => row !== null).sort((a, b) => a - b);
  assert.deepEqual(rows(both.before), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(rows(both.after), [0, 1, 2, 3, 4, 5, 6]);
});

test("a layer that moved stands where it is now", () => {
  const before = model(["", "a", "a.x", "b"], [0, 0, 1, 0]);
  const after = model(["", "a", "b", "b.x"], [0, 0, 0, 2]);
  const both = aligned(before, after, [change("moved", 2, 3)]);
  assert.deepEqual(both.before, [0, 1, 3, 2]);
  assert.deepEqual(both.after, [0, 1, 2, 3]);
});
