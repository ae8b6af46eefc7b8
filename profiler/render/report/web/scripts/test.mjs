/* Do the tests pass? Builds them into a temporary folder, and runs them there. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const names = (await readdir("test")).filter((name) => name.endsWith(".test.ts"));
const folder = await mkdtemp(join(tmpdir(), "report-"));
try {
  await build({
    entryPoints: names.map((name) => join("test", name)),
    bundle: true,
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    outExtension: { ".js": ".mjs" },
    outdir: folder,
    platform: "node",
  });
  const files = names.map((name) => join(folder, name.replace(/\.ts$/, ".mjs")));
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  await rm(folder, { recursive: true });
}
