// Copies the pinned front-end libraries into app/web/static/vendor (git-ignored).
// Run by `npm run build` after `npm ci`; writing the same bytes again is a no-op.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const vendor = join(root, "app", "web", "static", "vendor");
const FONT_WEIGHTS = [500, 600];
const LICENCE_NAMES = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "NOTICE"];
const written = new Set();

function put(name, content) {
  const target = join(vendor, name);
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content, "utf8");
  mkdirSync(dirname(target), { recursive: true });
  if (!existsSync(target) || !readFileSync(target).equals(bytes)) writeFileSync(target, bytes);
  written.add(name);
}

function copy(source, name) {
  put(name, readFileSync(join(modules, source)));
}

function licences(pkg) {
  const folder = join(modules, pkg);
  const found = LICENCE_NAMES.filter((file) => existsSync(join(folder, file)));
  if (!found.length) throw new Error(`no licence file in ${pkg}`);
  for (const file of found) {
    copy(join(pkg, file), `licences/${pkg.replace("@", "").replace("/", "-")}-${file}`);
  }
}

function icons() {
  const folder = join(modules, "lucide-static", "icons");
  const all = {};
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith(".svg")) continue;
    const svg = readFileSync(join(folder, file), "utf8");
    const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    all[file.slice(0, -4)] = inner.replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>").trim();
  }
  return JSON.stringify(all);
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [relative(vendor, path).split("\\").join("/")];
  });
}

mkdirSync(vendor, { recursive: true });
copy("htmx.org/dist/htmx.min.js", "htmx.min.js");
copy("echarts/dist/echarts.min.js", "echarts.min.js");
for (const weight of FONT_WEIGHTS) {
  const file = `barlow-semi-condensed-latin-${weight}-normal.woff2`;
  copy(`@fontsource/barlow-semi-condensed/files/${file}`, `fonts/${file}`);
}
put("icons.json", icons());
["htmx.org", "echarts", "zrender", "tslib", "lucide-static", "@fontsource/barlow-semi-condensed"].forEach(licences);

const sums = [...written]
  .sort()
  .map((name) => `${createHash("sha256").update(readFileSync(join(vendor, name))).digest("hex")}  ${name}\n`);
put("SHA256SUMS", sums.join(""));
for (const name of walk(vendor)) if (!written.has(name)) rmSync(join(vendor, name));
console.log(`vendor: ${written.size} files`);
