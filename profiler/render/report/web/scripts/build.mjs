/* Which files does the report's page carry? `node scripts/build.mjs FOLDER` writes them there. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = join(dirname(fileURLToPath(import.meta.url)), "..");
const LIMIT = 1_000_000; // bytes of a page's script
const OPTIONS = {
  absWorkingDir: WEB,
  bundle: true,
  charset: "ascii",
  format: "iife",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none", // LICENSES.txt holds them in full
  metafile: true,
  minify: true,
  target: "es2021",
  define: { "process.env.NODE_ENV": '"production"' },
  write: false,
};

/** The text of the script, of the style, and of the licences of the packages in them. */
export async function assets() {
  const script = await build({ ...OPTIONS, entryPoints: ["src/main.tsx"] });
  const style = await build({ ...OPTIONS, entryPoints: ["src/styles/index.css"] });
  const files = {
    "report.js": script.outputFiles[0].text,
    "report.css": style.outputFiles[0].text,
    "LICENSES.txt": await licences(Object.keys(script.metafile.inputs)),
  };
  check(files);
  return files;
}

/** Both are written into elements of a page, which they must not end. */
function check(files) {
  for (const [name, end] of [
    ["report.js", /<\/script|<!--/i],
    ["report.css", /<\/style|<!--/i],
  ]) {
    if (end.test(files[name])) throw new Error(`${name} would end the element that holds it: ${end}`);
  }
  if (files["report.js"].length > LIMIT)
    throw new Error(`report.js has ${files["report.js"].length} bytes, ${LIMIT} at most`);
}

async function licences(inputs) {
  const inside = inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean);
  const texts = [...new Set(inside)].sort().map(licence);
  return `report.js contains these packages.\n\n${(await Promise.all(texts)).join("\n")}`;
}

async function licence(name) {
  const folder = join(WEB, "node_modules", name);
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)(\.(txt|md))?$/i.test(file)).sort();
  if (!files.length) throw new Error(`${name} has no file with its licence`);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  const rule = "=".repeat(80);
  return [
    rule,
    `${name} ${about.version} (${about.license})`,
    rule,
    "",
    ...texts.map((text) => `${text.trim()}\n`),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(process.cwd(), process.argv[2]);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(await assets())) {
    await writeFile(join(folder, name), text);
    console.log(`${name}: ${text.length.toLocaleString("en")} bytes`);
  }
}
