import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { PAGES } from "../consent/authenticator.testing.ts";
import { nullValue, octetString, oid, sequence } from "../der/write.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { basicConstraints, keyUsage } from "../x509/build.ts";
import { writeExtension } from "../x509/extension.ts";
import { OID } from "../x509/oids.ts";
import { judgeAttestation } from "./attestation.ts";
import { AT, registrationOf } from "./authenticator.testing.ts";
import { leadToRoot } from "./maker-path.ts";
import { ecHand, makeChain, nameOf, rsaHand } from "./maker.testing.ts";
import type { ChainCertificate } from "./maker.testing.ts";

const DAY = 86_400;
const signer = generateSigner();
const RSA = rsaHand();
const UNKNOWN = writeExtension("1.2.3.4", true, sequence());

type Row = readonly [name: string, chain: readonly ChainCertificate[], wanted: string];
const ROWS: readonly Row[] = [
  ["leaf and root", [{}, {}], "accepted"],
  ["a CA between them", [{}, {}, {}], "accepted"],
  ["four certificates", [{}, {}, {}, {}], "accepted"],
  ["five certificates", [{}, {}, {}, {}, {}], "untrusted_chain"],
  ["a root that signs with RSA", [{}, { hand: RSA }], "accepted"],
  ["an RSA root above a CA with ECDSA", [{}, {}, { hand: RSA }], "accepted"],
  ["an RSA CA under a root with ECDSA", [{}, { hand: RSA }, {}], "accepted"],
  ["RSA of 4096 bits", [{}, { hand: rsaHand(4096) }], "accepted"],
  ["RSA of 1024 bits", [{}, { hand: rsaHand(1024) }], "untrusted_chain"],
  ["another RSA key than the root's", [{ by: rsaHand() }, { hand: RSA }], "untrusted_chain"],
  ["RSA where the root has ECDSA", [{ by: RSA }, {}], "untrusted_chain"],
  ["ECDSA where the root has RSA", [{ by: ecHand() }, { hand: RSA }], "untrusted_chain"],
  ["another ECDSA key than the root's", [{ by: ecHand() }, {}], "untrusted_chain"],
  ["a link by another key", [{}, { by: ecHand() }, {}], "untrusted_chain"],
  ["another issuer's name", [{ issuer: nameOf("Example CA 2") }, {}], "untrusted_chain"],
  ["an issuer without a name", [{}, { subject: sequence() }], "untrusted_chain"],
  [
    "a CA that is none",
    [{}, { extensions: [basicConstraints("end entity")] }, {}],
    "untrusted_chain",
  ],
  [
    "a CA that does not say so",
    [{}, { extensions: [keyUsage("keyCertSign")] }, {}],
    "untrusted_chain",
  ],
  [
    "a CA that may not sign certificates",
    [{}, { extensions: [basicConstraints({ pathLength: 0 }), keyUsage("digitalSignature")] }, {}],
    "untrusted_chain",
  ],
  [
    "a CA without key usage",
    [{}, { extensions: [basicConstraints({ pathLength: 0 })] }, {}],
    "accepted",
  ],
  [
    "a root with a CA too many below",
    [{}, {}, { extensions: [basicConstraints({ pathLength: 0 })] }],
    "untrusted_chain",
  ],
  [
    "name constraints",
    [
      {},
      {
        extensions: [
          basicConstraints({ pathLength: 0 }),
          writeExtension(OID.nameConstraints, false, sequence()),
        ],
      },
    ],
    "unsupported_constraint",
  ],
  [
    "a critical extension that nobody knows",
    [{ extensions: [UNKNOWN] }, {}],
    "unsupported_constraint",
  ],
  ["a leaf that is over", [{ notAfter: AT }, {}], "expired"],
  ["a leaf in its last second", [{ notAfter: AT + 1 }, {}], "accepted"],
  ["a root that is over", [{}, { notAfter: AT - 1 }], "expired"],
  ["a CA that has not begun", [{}, { notBefore: AT + 1 }, {}], "not_yet_valid"],
];

describe("from an attestation certificate to a maker's root", () => {
  it.each(ROWS)("%s → $2", async (_name, parts, wanted) => {
    const all = await makeChain(signer, parts);
    const [leaf = new Uint8Array(0), ...above] = all.slice(0, -1);
    const roots = all.slice(-1);
    const judged = outcomeOf(() => leadToRoot(c, [leaf, ...above], roots, AT));
    expect(await judged).toBe(wanted);
    // a root that stands at the end of what is shown changes nothing
    expect(await outcomeOf(() => leadToRoot(c, [leaf, ...above, ...roots], roots, AT))).toBe(
      wanted,
    );
  });

  it.each<readonly [string, (octets: Uint8Array) => Uint8Array, string]>([
    [
      "with its last octet changed",
      (der) => der.map((o, i) => (i === der.length - 1 ? o ^ 1 : o)),
      "untrusted_chain",
    ],
    ["cut short", (der) => der.subarray(1), "malformed_certificate"],
    ["with an octet more", (der) => Uint8Array.of(...der, 0), "malformed_certificate"],
    ["of no octets", () => new Uint8Array(0), "malformed_certificate"],
  ])("a leaf under an RSA root %s is refused", async (_name, change, wanted) => {
    const [leaf = new Uint8Array(0), root = leaf] = await makeChain(signer, [{}, { hand: RSA }]);
    expect(await outcomeOf(() => leadToRoot(c, [change(leaf)], [root], AT))).toBe(wanted);
  });

  it.each<readonly [string, ChainCertificate, string]>([
    [
      "SHA-1",
      { by: { ...RSA, algorithm: sequence(oid("1.2.840.113549.1.1.5"), nullValue()) } },
      "unsupported_alg",
    ],
    [
      "no parameters",
      { by: { ...RSA, algorithm: sequence(oid("1.2.840.113549.1.1.11")) } },
      "malformed_certificate",
    ],
    [
      "parameters",
      { by: { ...RSA, algorithm: sequence(oid("1.2.840.113549.1.1.11"), octetString(UNKNOWN)) } },
      "malformed_certificate",
    ],
  ])("RSA with %s is refused", async (_name, part, wanted) => {
    const [leaf = new Uint8Array(0), root = leaf] = await makeChain(signer, [part, { hand: RSA }]);
    expect(await outcomeOf(() => leadToRoot(c, [leaf], [root], AT))).toBe(wanted);
  });

  it("an attestation under an RSA root counts where RSA is verified", async () => {
    const [certificate = new Uint8Array(0), root = certificate] = await makeChain(signer, [
      {},
      { hand: RSA },
    ]);
    const { key } = generateSigner();
    const att = await registrationOf(key, { certificate, signer });
    const context = { jkt: thumbprint(c, key), pages: PAGES, roots: [root], at: AT };
    expect(await judgeAttestation(c, att, context)).toMatchObject({ result: "verified" });
    const { verifyRs256: _none, ...without } = c;
    expect(await judgeAttestation(without, att, context)).toEqual({ result: "untrusted" });
    const late = { ...context, at: AT + 2 * DAY };
    expect(await judgeAttestation(c, att, late)).toEqual({ result: "untrusted" });
  });
});
