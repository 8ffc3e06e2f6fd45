// An agent with a key of its own: serves and calls by mutual TLS. Reads commands, one JSON a line, and answers each.
//   { "call": URL, "agent": ID, "forMs": N } → { statuses, bodies, serials }, each value once
//   { "identity": true } → { cert, expiresAt }
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { connectWithOwnKey } from "@countersign/sdk/agent";
import { mutualTlsClient, mutualTlsServer, relyingParty } from "@countersign/sdk/node";

const trust = readFileSync(process.env["PEER_TRUST"] ?? "relying-party.json");
const GAP_MS = 60;
const say = (value) => console.log(JSON.stringify(value));

const agent = await connectWithOwnKey({
  onWaiting: ({ code }) => console.error(`waiting for the owner, code ${code}`),
});
agent.on("halted", ({ reason }) => say({ event: reason }));
const party = relyingParty({
  trust,
  resources: ["https://peer.example"],
  demand: { proof: "logged" },
});
const server = mutualTlsServer(
  party,
  ({ caller }, response) => void response.end(`${caller.agent} ${caller.proof}`),
  { source: agent, onRefused: ({ code }) => console.error(`refused ${code}`) },
);
server.listen(0, "127.0.0.1", () => say({ id: agent.id, port: server.address().port }));

const clients = new Map();
function clientOf(peer) {
  const known = clients.get(peer);
  if (known !== undefined) return known;
  const made = mutualTlsClient({ source: agent, trust, agent: peer, showOwner: true });
  clients.set(peer, made);
  return made;
}

function get(client, url) {
  return new Promise((resolve) => {
    const failed = (error) => resolve({ status: 0, body: error.code ?? error.message, serial: "" });
    try {
      const request = client.request(url, {}, (response) => {
        const serial = response.socket.getPeerCertificate().serialNumber;
        let body = "";
        response.on("data", (piece) => (body += piece));
        response.on("end", () => resolve({ status: response.statusCode, body, serial }));
      });
      request.on("error", failed).end();
    } catch (error) {
      failed(error);
    }
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.identity === true) {
    const identity = agent.tlsIdentity();
    say({ cert: identity?.cert, expiresAt: identity?.expiresAt });
    continue;
  }
  const answers = [];
  const until = performance.now() + command.forMs;
  do {
    answers.push(await get(clientOf(command.agent), command.call));
    await pause(GAP_MS);
  } while (performance.now() < until);
  const pick = (name) => [...new Set(answers.map((answer) => answer[name]))];
  say({
    statuses: pick("status"),
    bodies: pick("body"),
    serials: pick("serial"),
  });
}
