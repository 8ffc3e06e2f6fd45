// What the build wrote, by package and path: the bench measures what runs, internals included.
const from = (name, path) =>
  import(new URL(`../../packages/${name}/dist/${path}`, import.meta.url));

export const core = await from("core", "index.js");
export const node = await from("node", "index.js");

async function joined(name, paths) {
  const parts = await Promise.all(paths.map((path) => from(name, path)));
  return Object.assign({}, ...parts);
}

/** Modules of the server that the bench joins by hand. */
export function serverParts() {
  return joined("server", [
    "main.js",
    "signer/keys.js",
    "store/open.js",
    "store/checkpoint-file.js",
    "feed/state-feed.js",
    "http/api.js",
    "http/admin.js",
    "cases/credential.js",
    "cases/state.js",
    "notices/dispatcher.js",
  ]);
}

/** Modules of the proxy that the bench joins by hand. */
export function proxyParts() {
  return joined("proxy", [
    "agents/agents.js",
    "doors/run.js",
    "facts/peer.js",
    "http/door.js",
    "http/run.js",
    "keys/anchors.js",
    "uplink/server.js",
  ]);
}
