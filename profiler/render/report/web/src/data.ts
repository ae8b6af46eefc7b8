/**
 * What does a report hold? Plain data that `profiler/answers/report` writes and this application shows.
 *
 * Sizes are bytes, times seconds; null is "not known", and never 0. Rows are layers in preorder: a layer's children
 * follow it. Names of layers and models, labels, notes and captions were written by others: they are text, never markup.
 */

/** The values of `profiler.render.tables.Unit`. Shapes come as texts. */
export type Unit =
  | "text"
  | "exact"
  | "count"
  | "amount"
  | "bytes"
  | "KB"
  | "MB"
  | "GB"
  | "seconds"
  | "s"
  | "ms"
  | "us"
  | "nanoseconds"
  | "rate"
  | "difference"
  | "longer"
  | "mixed"
  | "growth"
  | "share"
  | "ratio"
  | "scientific"
  | "score"
  | "times"
  | "number"
  | "shape"
  | "bar";

/** A whole number beyond 2^53 comes as a text of its digits. */
export type Value = number | string | null;

export interface Column {
  name: string; // as `--columns` has it
  heading: string; // with the unit of sizes and times: "Act. MB"
  unit: Unit; // "MB": values are bytes and are shown in MB
  values: Value[];
}

export interface Fact {
  label: string;
  value: Value;
  unit: Unit;
  remark: string;
}

export interface Note {
  kind: "note" | "caution" | "explanation";
  text: string;
}

export interface Table {
  caption: string;
  columns: Column[];
  depth: number[]; // of each row
  best: [row: number, column: number][];
  failures: Record<string, string>; // by row: why it has no values but the first
  facts: Fact[];
  notes: Note[];
}

export interface Total extends Fact {
  name: string; // the key in JSON: "params"
  formula: string; // "trainable 21,797,672 + frozen 0 = 21,797,672"; empty where there is none
}

/** What a layer's area, bar and colour can stand for. `own` is what the layer itself causes; a subtree's sum is its total. */
export interface Measure {
  name: string; // "params", "macs", "flops", "moved", "activations", "time"
  heading: string;
  unit: Unit;
  own: Value[];
}

export interface Detail {
  formulas: string[]; // "MACs  N·Cout·Cin·K·So = 1·64·3·49·12544 = 118,013,952  [aten.convolution]"
  settings: [name: string, value: string][];
  weights: [name: string, shape: string, dtype: string, count: number][];
  inputs: string[];
  outputs: string[];
}

export interface Convention {
  name: string;
  says: string;
  total: Value[]; // what it counts of each layer, with the layers in it
}

export interface Memory {
  live: number[]; // bytes alive at each call
  layer: number[]; // the row that each call belongs to
  op: number[]; // index in `ops`, of each call
  ops: string[];
  peak: number | null; // the call at which most is alive
  /** died: the first call at which it is no longer there; null: it outlives the run. born: -1, it was there before. */
  storages: [bytes: number, role: number, born: number, died: number | null, tensor: number][];
  roles: string[];
  tensors: string[]; // "1×64×112×112 float32"; "" where it is not known
  phases: [kind: string, first: number, last: number][]; // of a training step
}

export interface Roofline {
  word: string; // "lower bound", "predicted" or "measured"
  device: string;
  peaks: [dtype: string, flops_per_second: number][]; // that the model multiplies in, most of it in the first
  bytes_per_second: number;
  points: [row: number, intensity: number, flops_per_second: number, seconds: number][];
}

export interface Model {
  label: string;
  model: string;
  convention: { name: string; says: string };
  about: [label: string, text: string][]; // how it was run, and the versions
  totals: Total[];
  notes: Note[];
  coverage: { known: number; free: number; unknown: number } | null; // null: nothing ran
  unknown_ops: [op: string, calls: number][];
  layers: Table; // every column that the command line has for this model
  shown: string[]; // the names of the columns that are shown at first
  paths: string[];
  parents: number[]; // the row of the layer that each stands in; the model's own row stands for itself
  classes: string[];
  shared: Record<string, string>; // by row: the path of the layer that it is the same module as
  measures: Measure[];
  details: Detail[]; // each different one once
  detail: number[]; // index in `details`, of each row
  conventions: Convention[];
  memory: Memory | null;
  roofline: Roofline | null;
}

export interface Comparison {
  table: Table; // all columns
  shown: string[];
  models: (number | null)[]; // index in `Report.models`, of each row; null where it could not be run
}

export interface Change {
  status: string; // "added", "removed", "changed", "renamed", "moved"
  before: number | null; // row in the first model
  after: number | null; // row in the second
  what: string; // "Linear 512→1000 became Linear 512→10"
}

export interface Diff {
  tables: Table[]; // totals; then changes
  changes: Change[]; // each layer that differs
}

export interface Report {
  schema: 1;
  title: string;
  tool: string; // "profile-model 0.1.0"
  kind: "model" | "comparison" | "diff";
  models: Model[]; // of a diff: before, after
  comparison: Comparison | null;
  diff: Diff | null;
}
