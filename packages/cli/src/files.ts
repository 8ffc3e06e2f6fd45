import { open } from "node:fs/promises";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";

/** The octets of a file that the user named; pipes are read, too. @throws Refusal `not_found`, `too_large` */
export async function readBounded(path: string, maxBytes: number): Promise<Bytes> {
  const file = await open(path).catch(() => {
    throw new Refusal("not_found", `cannot read ${path}`, "Check the name and mode of the file.");
  });
  return readStream(file.createReadStream(), path, maxBytes);
}

/** All of a stream. @throws Refusal `too_large`, `not_found` when it cannot be read */
export async function readStream(
  stream: AsyncIterable<Buffer | string>,
  name: string,
  maxBytes: number,
): Promise<Bytes> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of stream) {
      const octets = Buffer.from(chunk);
      byteCount += octets.length;
      if (byteCount > maxBytes) throw new Refusal("too_large", `${name} over ${maxBytes} bytes`);
      chunks.push(octets);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("not_found", `cannot read ${name}`, "Name a file, or - for standard input.");
  }
  return new Uint8Array(Buffer.concat(chunks));
}
