import { readdir, readFile } from "node:fs/promises";
import { extname, join, posix, relative, sep } from "node:path";
import { Refusal } from "@countersign/core";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const MAX_FILES = 100;
const MAX_SITE_BYTES = 4_194_304;

/** What a browser may do on these pages: nothing but run and style what comes from here, and call home (owner.md 1.3). */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types push-worker",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy":
    "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** What any other answer of the console says: it is no page, stands in no frame, and is another origin's to read in no way. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  ...PAGE_HEADERS,
  "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
};

/**
 * The one worker: what shows notices. A browser lets it stand before no path but its own folder, in which no page lies, since
 * no answer of ours says `Service-Worker-Allowed` (Service Workers 1, 3.4).
 */
const WORKER_PATH = "/push/worker.js";
/** It loads nothing and calls nobody, not even home. */
const WORKER_HEADERS: Readonly<Record<string, string>> = {
  ...PAGE_HEADERS,
  "content-security-policy":
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
};

/** Where the console is at https, its name is never asked for otherwise: passkeys and sessions hang on it. */
export const STRICT_TRANSPORT: Readonly<Record<string, string>> = {
  "strict-transport-security": "max-age=63072000",
};

/** The files of a site, read once: a path either is one of them, or there is nothing. */
export type Site = ReadonlyMap<string, { readonly octets: Uint8Array; readonly type: string }>;

/**
 * Reads a site's folder.
 * @throws Refusal `configuration_invalid` where there is none, or something that is no page of a console
 */
export async function readSite(folder: string): Promise<Site> {
  const unusable = (why: string): never => {
    throw new Refusal(
      "configuration_invalid",
      `the console's pages: ${why}`,
      "Build them: npm run build.",
    );
  };
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() =>
    unusable("there is no such folder"),
  );
  const files = found.filter((entry) => entry.isFile());
  if (files.length > MAX_FILES) unusable("too many files");
  const site = new Map<string, { octets: Uint8Array; type: string }>();
  let size = 0;
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    const type = TYPES[extname(file.name)] ?? unusable(`${file.name} is of no known kind`);
    const octets = new Uint8Array(await readFile(path));
    size += octets.length;
    if (size > MAX_SITE_BYTES) unusable("too large");
    site.set(`/${relative(folder, path).split(sep).join(posix.sep)}`, { octets, type });
  }
  if (!site.has("/index.html")) unusable("there is no index.html");
  return site;
}

function cachingOf(path: string): string {
  if (path === WORKER_PATH) return "no-store";
  return path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
}

/**
 * A file of the site, with the headers of its pages. Names that hold a hash never mean another file.
 * @param isForWorker whether a browser fetches it to run it as a service worker: there is one file for that, or any script of
 * the site could be made to stand before others
 */
export function pageOf(site: Site, path: string, isForWorker: boolean): Response {
  const file = site.get(path === "/" ? "/index.html" : path);
  if (file === undefined || (isForWorker && path !== WORKER_PATH)) throw new Refusal("not_found");
  return new Response(new Uint8Array(file.octets), {
    headers: {
      ...(path === WORKER_PATH ? WORKER_HEADERS : PAGE_HEADERS),
      "content-type": file.type,
      "cache-control": cachingOf(path),
    },
  });
}
