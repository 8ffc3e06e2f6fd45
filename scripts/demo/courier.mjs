// The demo's second agent. It does what it is told, line by line, and gives away all it gets: a careless program
// whose tokens end up in somebody's log. It speaks to its door in plain HTTP, as any language could.
import { request } from "node:http";
import { createInterface } from "node:readline";

function door(path, body) {
  return new Promise((resolve, reject) => {
    const socketPath = process.env["COUNTERSIGN_SOCKET"];
    const headers = { host: "localhost", "content-type": "application/json" };
    const sent = request({ socketPath, path, method: "POST", headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, ...JSON.parse(text) }));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { path, body } = JSON.parse(line);
  const answer = await door(path, body).catch(({ code }) => ({ status: 0, reason: code }));
  console.log(JSON.stringify(answer));
}
