/* Does the page write each number as the command line does? */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Unit, Value } from "../src/data";
import { fixed, format, number } from "../src/format";
import cases from "./numbers.json";

test("each value is written as by profiler/render/numbers.py", () => {
  assert.ok(cases.length > 400);
  for (const [value, unit, text] of cases as [Value, Unit, string][]) {
    assert.equal(format(value, unit), text, `${String(value)} as ${unit}`);
  }
});

test("what is not known is no number", () => {
  assert.equal(format(null, "exact"), "?");
  assert.equal(format(null, "shape"), "");
  assert.equal(format("", "growth"), "");
  assert.equal(number(null), null);
  assert.equal(number("1×3"), null);
  assert.equal(number("9007199254740993"), 9007199254740992);
});

test("a tie goes to the even digit, what is near it does not", () => {
  assert.equal(fixed(0.125, 2), "0.12");
  assert.equal(fixed(0.375, 2), "0.38");
  assert.equal(fixed(2.5, 0), "2");
  assert.equal(fixed(3.5, 0), "4");
  assert.equal(fixed(1.005, 2), "1.00"); // a little less than it says
  assert.equal(fixed(-0.125, 2), "-0.12");
});
