// One row a signature: what was done otherwise, and what a verifier says. `says` is ours; `Good` or `no` is ssh-keygen's,
// `yes` or `no` that of @simplewebauthn/server.
import { APP, FLAG, flipped, jws, PAGES, sk, ssh, webauthn } from "./makers.mjs";

const { UP, UV, BE, BS } = FLAG;
const NONE = 0;

async function sshRows({ by, other, statement: over, denial, later }) {
  const key = { jwk: by.key };
  return [
    ["a plain key", await ssh({ by, over }), { key, says: "accepted", sshKeygen: "Good" }],
    [
      "another namespace",
      await ssh({ by, over, namespace: "git" }),
      { key, says: "namespace_mismatch", sshKeygen: "no" },
    ],
    [
      "another key",
      await ssh({ by: other, over }),
      { key, says: "key_not_enrolled", sshKeygen: "no" },
    ],
    [
      "another statement",
      await ssh({ by, over: later }),
      { key, says: "signature_invalid", sshKeygen: "no" },
    ],
    [
      "a denial",
      await ssh({ by, over: denial }),
      { key, says: "approval_unsuitable", sshKeygen: "Good", shown: denial },
    ],
    [
      "a denial relabelled",
      await ssh({ by, over: denial }),
      { key, says: "signature_invalid", sshKeygen: "no" },
    ],
  ];
}

async function skRows({ by, statement: over }) {
  const key = { jwk: by.key, app: APP };
  const flagged = async (name, flags, says) => [
    name,
    await sk({ by, over, flags }),
    { key, says, sshKeygen: "Good" },
  ];
  return [
    await flagged("touched and verified", UP | UV, "accepted"),
    await flagged("touched only", UP, "user_not_verified"),
    await flagged("verified only", UV, "user_not_present"),
    await flagged("neither", NONE, "user_not_present"),
    [
      "another application",
      await sk({ by, over, flags: UP | UV, app: "ssh:" }),
      { key, says: "key_not_enrolled", sshKeygen: "no" },
    ],
    [
      "a plain signature for it",
      await ssh({ by, over }),
      { key, says: "key_not_enrolled", sshKeygen: "no" },
    ],
  ];
}

async function jwsRows({ by, other, statement: over, later }) {
  const key = { jwk: by.key };
  const refused = { key, says: "signature_invalid" };
  return [
    ["a JWS", await jws({ by, over }), { key, says: "accepted" }],
    ["another type", await jws({ by, over, header: { typ: "JWT" } }), refused],
    ["no algorithm", await jws({ by, over, header: { alg: "none" } }), refused],
    ["a key in the header", await jws({ by, over, header: { jwk: other.key } }), refused],
    ["another payload", await jws({ by, over: later }), { key, says: "payload_mismatch" }],
    ["a security key's", await jws({ by, over }), { ...refused, key: { jwk: by.key, app: APP } }],
  ];
}

async function webauthnRows({ by, other, statement: over, denial, later }) {
  const key = { jwk: by.key, app: PAGES.rp_id };
  const made = async (name, otherwise, says, simplewebauthn = "no") => [
    name,
    await webauthn({ by, over, ...otherwise }),
    { key, says, simplewebauthn },
  ];
  const untouched = await webauthn({ by, over, flags: UP });
  return [
    await made("a key bound to its device", {}, "accepted", "yes"),
    await made("a synced key", { flags: UP | UV | BE | BS }, "accepted", "yes"),
    await made("another challenge", { over: later }, "challenge_mismatch"),
    await made("another origin", { client: { origin: "https://evil.example" } }, "origin_mismatch"),
    await made("another RP ID", { rpId: "example.org" }, "origin_mismatch"),
    await made("inside another page", { client: { crossOrigin: true } }, "origin_mismatch", "yes"),
    await made("not touched", { flags: UV }, "user_not_present"),
    await made("touched only", { flags: UP }, "user_not_verified"),
    await made("made at enrolment", { client: { type: "webauthn.create" } }, "signature_invalid"),
    [
      "flags set afterwards",
      flipped(untouched, UP | UV),
      { key, says: "signature_invalid", simplewebauthn: "no" },
    ],
    await made("backed up, not eligible", { flags: UP | UV | BS }, "signature_invalid"),
    await made("octets after its end", { tail: Uint8Array.of(0xa0) }, "signature_invalid"),
    await made("another key", { by: other }, "signature_invalid"),
    [
      "a denial",
      await webauthn({ by, over: denial }),
      { key, says: "approval_unsuitable", simplewebauthn: "yes", shown: denial },
    ],
    [
      "a software key that wrote the flags itself",
      await webauthn({ by, over }),
      { key: { jwk: by.key }, says: "signature_invalid", simplewebauthn: "yes" },
    ],
  ];
}

/** Every method with every row, for one owner: his key, another one, and the statements that name his. */
export async function rowsOf(owner) {
  const of = (method, rows) => rows.map(([name, sig, more]) => ({ method, name, sig, ...more }));
  return [
    ...of("sshsig", await sshRows(owner)),
    ...of("sshsig-sk", await skRows(owner)),
    ...of("jws", await jwsRows(owner)),
    ...of("webauthn", await webauthnRows(owner)),
  ];
}
