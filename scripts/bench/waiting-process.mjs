// An agent that asks at the door that it is told, waits for its owner, and says when it has a credential.
import { request } from "node:http";

const WAIT_SECONDS = 60;

function ask(socketPath) {
  return new Promise((resolve, reject) => {
    const path = `/v1/credential?wait=${WAIT_SECONDS}`;
    const headers = { host: "localhost", "content-type": "application/json" };
    const call = request({ socketPath, method: "POST", path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => (text += piece));
      answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(text))));
    });
    call.on("error", reject).end("{}");
  });
}

process.on("message", (socketPath) => {
  ask(socketPath).then(
    () => process.send({}),
    (error) => process.send({ error: String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));
