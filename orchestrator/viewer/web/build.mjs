// Builds ../static from src: one classic script (it must run from file://, where modules do not) and one style sheet.
// The hash of every source goes into build.json: a test compares it, so that stale assets are seen without npm.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const out = "../static";
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome123", "firefox120", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "ascii",
  legalComments: "none",
});
for (const file of ["index.html", "icon.svg"]) copyFileSync(`src/${file}`, `${out}/${file}`);

const files = readdirSync("src", { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
const hash = createHash("sha256");
for (const file of [...files, "package-lock.json", "build.mjs"].sort()) {
  hash.update(`${file}\n`).update(readFileSync(file)).update("\n");
}
writeFileSync(`${out}/build.json`, JSON.stringify({ sources: hash.digest("hex") }) + "\n");
