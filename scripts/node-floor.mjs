import { readFileSync } from "node:fs";

const numbers = (version) => version.match(/\d+/g).map(Number);

/** Ends the script with a word where Node is older than the workspace's manifest demands. */
export function refuseOldNode() {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { node: wanted } = JSON.parse(manifest).engines;
  const [major, minor] = numbers(process.versions.node);
  const [leastMajor, leastMinor] = numbers(wanted);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  console.error(
    `This needs Node ${wanted}, and this is ${process.versions.node} (${process.execPath}). Install a newer one, then npm ci.`,
  );
  process.exit(1);
}
