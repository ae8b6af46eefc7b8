/**
 * How is a number written as text? As `profiler/render/numbers.py` writes it: `test/numbers.json` has what that says.
 *
 * Python rounds a tie to the even digit and JavaScript away from zero, so that ties are looked for.
 */
import type { Unit, Value } from "./data";

const BYTES = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };
const SECONDS = { s: 1, ms: 1e-3, us: 1e-6 };
const STEPS: [number, string][] = [
  [1e3, "k"],
  [1e6, "M"],
  [1e9, "G"],
  [1e12, "T"],
  [1e15, "P"],
];
const UNKNOWN = "?";
const UNDEFINED = "–"; // a score that is a share of nothing
const BAR = 24; // blocks of a whole bar

/** A value as a person reads it; "?" for a number that is not known, and nothing where "" says there is none. */
export function format(value: Value, unit: Unit): string {
  if (value === "") return "";
  if (value === null) return unit === "shape" ? "" : unit === "score" ? UNDEFINED : UNKNOWN;
  return WRITERS[unit](value);
}

const WRITTEN: ReadonlySet<Unit> = new Set(["KB", "MB", "GB", "s", "ms", "us"]);

/** A value by itself, with the unit that a column has in its heading: 83.15 MB. */
export function alone(value: Value, unit: Unit): string {
  const text = format(value, unit);
  return WRITTEN.has(unit) && value !== null && value !== "" ? `${text} ${unit}` : text;
}

/** Bytes in the unit that suits them: 83.15 MB. */
export function bytes(value: number): string {
  const size = Math.abs(value);
  const unit = size >= 10 * BYTES.GB ? "GB" : size !== 0 && size < BYTES.MB / 10 ? "KB" : "MB";
  return `${sizeIn(value, BYTES[unit])} ${unit}`;
}

/** A whole number with all its digits. */
export function exact(value: Value): string {
  return grouped(whole(value));
}

/** A number for sorting, adding and drawing; null where it is not known, or none. */
export function number(value: Value | undefined): number | null {
  if (value === null || value === undefined || value === "") return null;
  const known = Number(value);
  return Number.isNaN(known) ? null : known;
}

function whole(value: Value): string {
  return typeof value === "number" && Math.abs(value) >= 1e21 ? BigInt(value).toString() : String(value);
}

function grouped(digits: string): string {
  return digits.replace(
    /^(-?)(\d+)/,
    (_, sign: string, integer: string) => sign + integer.replace(/\B(?=(\d{3})+$)/g, ","),
  );
}

/** The text with one digit more than is wanted ends in a 5 that nothing follows, and the digit before is even. */
function isTieToEven(longer: string, exactly: string): boolean {
  if (!longer.endsWith("5") || !exactly.startsWith(longer) || /[1-9]/.test(exactly.slice(longer.length))) return false;
  return Number(longer.replace(/\.?5$/, "").slice(-1)) % 2 === 0;
}

/** Python's `f"{value:.{decimals}f}"`. */
export function fixed(value: number, decimals: number): string {
  const longer = value.toFixed(decimals + 1);
  return isTieToEven(longer, value.toFixed(Math.min(100, decimals + 41)))
    ? longer.slice(0, decimals === 0 ? -2 : -1)
    : value.toFixed(decimals);
}

/** Python's `float(f"{value:.4g}")`. */
function fourDigits(value: number): number {
  const [longer, longest] = [value.toExponential(4), value.toExponential(44)].map((text) => text.split("e"));
  return isTieToEven(longer[0], longest[0])
    ? Number(`${longer[0].slice(0, -1)}e${longer[1]}`)
    : Number(value.toPrecision(4));
}

/** The exponent of the first digit: 2 of 123, -3 of 0.0012. */
function exponent(value: number): number {
  return Number(value.toExponential(6).split("e")[1]);
}

/** So many that two significant digits show, and two at least. */
function decimalsOf(value: number): number {
  return Math.max(2, 1 - exponent(value));
}

function amount(value: Value): string {
  const known = Number(value);
  if (known < 1000) return String(value);
  const scaled = STEPS.map(([step, prefix]): [number, string] => [fourDigits(known / step), prefix]);
  const [short, prefix] = scaled.find(([short]) => short < 1000) ?? scaled[scaled.length - 1];
  return `${fixed(short, Math.max(0, 4 - String(Math.trunc(short)).length))} ${prefix}`;
}

function sizeIn(value: number, step: number): string {
  const scaled = value / step;
  return scaled > 0 && scaled < 0.005 ? "<0.01" : grouped(fixed(scaled, 2));
}

function timeIn(value: number, step: number): string {
  const scaled = value / step;
  return scaled > 0 && scaled < 0.0005 ? "<0.001" : grouped(fixed(scaled, 3));
}

/** Four significant digits of what is written without a prefix. */
function significant(value: number): string {
  const rounded = fourDigits(value);
  return rounded ? grouped(fixed(rounded, Math.max(0, 3 - exponent(rounded)))) : "0";
}

/** Seconds in the unit that suits them: 41.24 ms. */
export function duration(value: number): string {
  const rounded = fourDigits(value);
  const unit = rounded >= 1 ? "s" : rounded >= SECONDS.ms ? "ms" : "us";
  return `${significant(rounded / SECONDS[unit])} ${unit}`;
}

function rate(value: number): string {
  const rounded = Number(fixed(value, 0));
  return rounded >= 1000 ? amount(rounded) : significant(value);
}

function signed(text: string): string {
  return text.startsWith("-") ? text : `+${text}`;
}

function difference(value: Value): string {
  return Number(value) ? signed(exact(value)) : "0";
}

/** A difference of seconds. */
function longer(value: number): string {
  return value ? `${value < 0 ? "-" : "+"}${duration(Math.abs(value))}` : "0";
}

function growth(value: number): string {
  const percent = 100 * value;
  return value ? signed(grouped(fixed(percent, decimalsOf(Math.abs(percent))))) : "0";
}

function times(value: number): string {
  return `×${grouped(fixed(value, value === 0 ? 2 : decimalsOf(value)))}`;
}

function blocks(value: number): string {
  return "█".repeat(Math.max(Number(fixed(BAR * value, 0)), value ? 1 : 0));
}

function scientific(value: number): string {
  if (value === 0) return "0";
  const rounded = fourDigits(value);
  const [digits, power] = rounded.toExponential(3).split("e");
  const places = 3 - Number(power);
  return Number(power) >= -3 && Number(power) < 4 ? rounded.toFixed(Math.max(0, places)) : `${digits}e${Number(power)}`;
}

const WRITERS: Record<Unit, (value: Value) => string> = {
  text: String,
  number: String,
  mixed: String, // written by whoever knew the unit of each
  shape: String,
  exact,
  count: exact,
  amount,
  difference,
  bytes: (value) => bytes(Number(value)),
  KB: (value) => sizeIn(Number(value), BYTES.KB),
  MB: (value) => sizeIn(Number(value), BYTES.MB),
  GB: (value) => sizeIn(Number(value), BYTES.GB),
  seconds: (value) => duration(Number(value)),
  nanoseconds: (value) => duration(Number(value) * 1e-9),
  s: (value) => timeIn(Number(value), SECONDS.s),
  ms: (value) => timeIn(Number(value), SECONDS.ms),
  us: (value) => timeIn(Number(value), SECONDS.us),
  rate: (value) => rate(Number(value)),
  longer: (value) => longer(Number(value)),
  growth: (value) => growth(Number(value)),
  share: (value) => fixed(100 * Number(value), 1),
  ratio: (value) => fixed(Number(value), 2),
  score: (value) => fixed(Number(value), 4),
  scientific: (value) => scientific(Number(value)),
  times: (value) => times(Number(value)),
  bar: (value) => blocks(Number(value)),
};
