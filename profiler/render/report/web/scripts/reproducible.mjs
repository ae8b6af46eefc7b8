/* Are the committed files those that the sources build? Exit status 1 where one differs. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { assets } from "./build.mjs";

const folder = join(process.cwd(), process.argv[2]);
const differ = [];
for (const [name, text] of Object.entries(await assets())) {
  const committed = await readFile(join(folder, name), "utf8").catch(() => "");
  if (committed !== text) differ.push(name);
}
if (differ.length) {
  console.error(`${differ.join(", ")} in ${process.argv[2]} is not what the sources build: run npm run build`);
  process.exit(1);
}
console.log("The committed files are what the sources build.");
