/** What does a layer amount to with the layers in it? Sums over the tree, of figures that may not be known. */
import type { Measure, Model, Value } from "./data";
import { number } from "./format";

export interface Sums {
  own: Float64Array; // unknown: 0
  total: Float64Array;
  unknown: Int32Array; // how many layers in it, and it itself, are not known
}

const computed = new WeakMap<Measure, Sums>();

export function sums(measure: Measure, parents: readonly number[]): Sums {
  let known = computed.get(measure);
  if (!known) computed.set(measure, (known = summed(measure.own, parents)));
  return known;
}

export function summed(values: readonly Value[], parents: readonly number[]): Sums {
  const own = new Float64Array(parents.length);
  const unknown = new Int32Array(parents.length);
  values.forEach((value, row) => {
    own[row] = number(value) ?? 0;
    unknown[row] = value === null ? 1 : 0;
  });
  const total = own.slice();
  for (let row = parents.length - 1; row > 0; row--) {
    total[parents[row]] += total[row];
    unknown[parents[row]] += unknown[row];
  }
  return { own, total, unknown };
}

/** The share of the whole model; null where nothing is known of the layer, or the whole is nothing. */
export function share(sums: Sums, row: number): number | null {
  return !sums.total[0] || (!sums.total[row] && sums.unknown[row]) ? null : sums.total[row] / sums.total[0];
}

/** Which figure a page starts with: work where there is any, else weights. */
export function firstMeasure(measures: readonly Measure[]): number {
  const known = measures.map((measure) => measure.own.some((value) => number(value)));
  const best = ["flops", "macs", "params"].map((name) => measures.findIndex((m, i) => m.name === name && known[i]));
  return Math.max(0, best.find((index) => index >= 0) ?? known.indexOf(true));
}

/** The classes of a model, those that the figures are in first: which have colours of their own. */
export function kindsBySize(model: Model): string[] {
  const sizes = new Map<string, number>(model.classes.map((kind) => [kind, 0]));
  for (const measure of model.measures) {
    const { own, total } = sums(measure, model.parents);
    if (!total[0]) continue;
    model.classes.forEach((kind, row) => sizes.set(kind, sizes.get(kind)! + own[row] / total[0]));
  }
  return [...sizes].sort((one, other) => other[1] - one[1]).map(([kind]) => kind);
}
