// The files of one issue, for people who want to check it with tools of their own (`CHECK.md` says how).
import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBase64, fromBase64url, fromUtf8, writeArmor } from "@countersign/core";
import { checkMd } from "./check-md.mjs";
import { until } from "./processes.mjs";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

async function published(s, path) {
  const answer = await fetch(`${s.world.ready.public}${path}`);
  return answer.text();
}

function rootOf(bundle) {
  const { x5c } = JSON.parse(bundle).keys.find(({ use }) => use === "x509-svid");
  const body = x5c[0].replaceAll(/.{64}/g, "$&\n").trim();
  return `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
}

/** Everything about the credential that the courier holds now; undefined when it was renewed in between. */
async function collect(s) {
  const held = await s.tell("/v1/credential", {});
  const shown = await s.tell("/v1/proof", { aud: s.url, evidence: true });
  const proof = await s.tell("/v1/proof", { aud: s.url });
  const now = Math.floor(Date.now() / 1000);
  const bundle = JSON.parse(fromUtf8(fromBase64url(shown.evidence)));
  const { jti, ...evidence } = await s.world.local("proxy.sock", "/v1/evidence?entry=courier");
  const isOne = held.wit === shown.wit && held.wit === proof.wit && bundle.credential.jti === jti;
  if (!isOne) return undefined;
  const [, seq] = /^index ([0-9]+)$/m.exec(bundle.credential.proof);
  const row = await s.world.local("server.sock", `/v1/log/${seq}`);
  return { held, wpt: proof.wpt, now, bundle, evidence, row };
}

function filesOf(s, { held, wpt, now, bundle, evidence, row }) {
  const { approval, credential } = bundle;
  const certificates = held.wic.join("\n").match(CERTIFICATE);
  return {
    "wit.jwt": held.wit,
    "wpt.jwt": wpt,
    "wic.pem": certificates[0],
    "chain.pem": certificates.slice(1).join(""),
    "bundle.json": JSON.stringify(bundle),
    "statement.json": fromBase64url(approval.st),
    "statement.sshsig": writeArmor(fromBase64(approval.sig.s)),
    allowed_signers: s.owner.allowed,
    "leaf.tlog-proof": credential.proof,
    "checkpoint.txt": credential.proof.slice(credential.proof.indexOf("\n\n") + 2),
    "record.json": row.record,
    "record.salt": row.salts.record,
    "evidence.jwt": evidence.evidence,
    "proxy.jwk": JSON.stringify(evidence.proxy_jwk),
    "CHECK.md": checkMd({ now, aud: s.url }),
  };
}

export async function writeFolder(s) {
  s.report.step(
    "Everything about one credential is written down for strangers",
    "CHECK.md gives the commands with which OpenSSL, ssh-keygen and Python verify it, without a line of our code.",
  );
  const folder = s.out ?? (await mkdtemp(join(tmpdir(), "countersign-out-")));
  await mkdir(folder, { recursive: true });
  const found = await until(20_000, "files of one issue", () => collect(s));
  const files = filesOf(s, found);
  const bundle = await published(s, "/bundle");
  files["trust-bundle.json"] = bundle;
  files["root.pem"] = rootOf(bundle);
  files["jwks.json"] = await published(s, "/jwks");
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await copyFile(s.world.ready.relying_party, join(folder, "relying-party.json"));
  s.report.note(`They are in ${folder}; begin with CHECK.md.`);
  s.report.command(`countersign verify ${folder} --trust relying-party.json`);
  const trust = ["--trust", join(folder, "relying-party.json")];
  const { code, out, err } = await s.world.cli("verify", folder, ...trust, "--json");
  s.report.check(
    code === 0,
    `${Object.keys(files).length} files, verified link by link`,
    out + err,
  );
}
