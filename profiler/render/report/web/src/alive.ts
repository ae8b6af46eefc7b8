/** What is alive at a call, and how is the line through all calls drawn with fewer points? */
import type { Memory } from "./data";

export interface Alive {
  storage: number;
  bytes: number;
  layer: number | null; // the row that made it; null: it was there before
}

/** What is there at the call, the largest first. */
export function aliveAt(memory: Memory, call: number): Alive[] {
  const alive: Alive[] = [];
  memory.storages.forEach(([bytes, , born, died], storage) => {
    if (born > call || (died !== null && died <= call && !(born === call))) return;
    alive.push({ storage, bytes, layer: born < 0 ? null : memory.layer[born] });
  });
  return alive.sort((one, other) => other.bytes - one.bytes);
}

/** At most about `most` calls, among them the largest of each stretch of equal length. */
export function thinned(live: readonly number[], most: number): [call: number, bytes: number][] {
  if (live.length <= most) return live.map((bytes, call) => [call, bytes]);
  const points: [number, number][] = [];
  for (let bucket = 0; bucket < most; bucket++) {
    const [first, end] = [bucket, bucket + 1].map((part) => Math.floor((part * live.length) / most));
    let largest = first;
    for (let call = first; call < end; call++) if (live[call] > live[largest]) largest = call;
    points.push([largest, live[largest]]);
  }
  return points;
}
