// An agent behind its door: takes a credential, then proofs, as many as it is told, several at the same time.
import { Agent, request } from "node:http";

const CONNECTIONS = 4;
const [socketPath] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function post(path, json) {
  return new Promise((resolve, reject) => {
    const body = Buffer.from(JSON.stringify(json));
    const headers = { "content-type": "application/json", "content-length": body.length };
    const call = request({ socketPath, agent, method: "POST", path, headers }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(text))));
    });
    call.on("error", reject);
    call.end(body);
  });
}

await post("/v1/credential", {});
process.on("message", async (count) => {
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await post("/v1/proof", { aud: "https://mail.example.com/" });
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
  process.send({ seconds: (performance.now() - begun) / 1000 });
});
process.once("disconnect", () => process.exit(0));
process.send({});
