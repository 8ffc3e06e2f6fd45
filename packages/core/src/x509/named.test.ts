import { expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import { implicitPrimitive, sequence } from "../der/write.ts";
import { assemble, codeOf, leafExtensions, leafParts, makeEstate } from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { checkNamed, checkServer } from "./named.ts";
import { OID } from "./oids.ts";

const SERVER = "spiffe://example.org/server";
const estate = await makeEstate();
const { key } = generateSigner();

async function named(uris: readonly string[]): Promise<Uint8Array> {
  const names = uris.map((uri) => implicitPrimitive(6, new TextEncoder().encode(uri)));
  const dns = implicitPrimitive(2, new TextEncoder().encode("example.org"));
  const san = writeExtension(OID.subjectAltName, true, sequence(...names, dns));
  const extensions = leafExtensions(estate.issuing, key).with(0, san);
  return assemble(leafParts(estate.issuing, key, {}, extensions), estate.issuingKey);
}

it.each<[string, readonly string[], string]>([
  ["the server", [SERVER], "ok"],
  ["a proxy", ["spiffe://example.org/proxy/host-1"], "untrusted_chain"],
  ["the server of another trust domain", ["spiffe://example.com/server"], "untrusted_chain"],
  ["one whose name begins so", [`${SERVER}/2`], "untrusted_chain"],
  ["one that is another besides", [SERVER, "spiffe://example.org/proxy/host-1"], "untrusted_chain"],
  ["one with the host name alone", [], "untrusted_chain"],
])("a peer is %s → $2", async (_name, uris, code) => {
  const der = await named(uris);
  expect(await codeOf(() => checkServer("example.org")(der))).toBe(code);
  expect(await codeOf(() => checkNamed(SERVER, "another")(der))).toBe(code);
});
