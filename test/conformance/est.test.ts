import { describe, expect, test } from "vitest";
import {
  buildCsr,
  EST_MEDIA_TYPE,
  parseCsr,
  readCertsOnly,
  readEstBody,
  writeCertsOnly,
  writeEstBody,
  writeEstRequestBody,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";

const MAX = 65_536;
const one = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x01);
const two = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x02);

describe("RFC 8951 3: encoding of EST bodies", () => {
  test("a body is base64 of DER, whatever Content-Transfer-Encoding would say", async () => {
    const csr = await buildCsr(c, generateSigner());
    expect(readEstBody(writeEstRequestBody(csr), MAX)).toEqual(csr);
    expect(readEstBody(writeEstBody(csr), MAX)).toEqual(csr);
  });

  test("receivers SHOULD tolerate CR, LF, SP and TAB", () => {
    expect(readEstBody("MAMC\r\n \tAQE=\n", MAX)).toEqual(one);
  });

  test("a body ends with a newline and stands on one line, which every known client reads", () => {
    expect(writeEstBody(one)).toBe("MAMCAQE=\n");
  });
});

describe("RFC 7030 4.1.3, 4.2.3: certs-only answers", () => {
  test("the answer is a degenerate SignedData: version 1, no digests, no content, no signers", () => {
    const message = writeCertsOnly([one]);
    const signedData = "301b0201013100300b06092a864886f70d010701";
    expect(Buffer.from(message).toString("hex")).toBe(
      `302a06092a864886f70d010702a01d${signedData}a00530030201013100`,
    );
  });

  test("cacerts carries every certificate that is needed", () => {
    expect(readCertsOnly(writeCertsOnly([one, two]))).toEqual([one, two]);
    expect(EST_MEDIA_TYPE.certsOnly).toBe("application/pkcs7-mime; smime-type=certs-only");
  });
});

describe("RFC 7030 4.2.1: requests", () => {
  test("the request is a PKCS#10 whose signature proves possession of its key", async () => {
    const signer = generateSigner();
    const csr = await buildCsr(c, signer, "spiffe://example.org/proxy/a");
    expect((await parseCsr(c, csr)).key).toEqual(signer.key);
  });
});
