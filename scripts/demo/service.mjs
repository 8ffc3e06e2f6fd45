// The service of the demo with a person: examples/relying-party.mjs, which also prints what it has found out about
// each caller, link by link. It has never spoken to the server.
//   node service.mjs relying-party.json PORT
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { protect, relyingParty } from "@countersign/sdk/node";

const [trustFile, port] = process.argv.slice(2);

const party = relyingParty({
  trust: readFileSync(trustFile),
  resources: [`http://localhost:${port}`],
  demand: { proof: "logged" },
});

const hello = protect(party, ({ caller }, response) => {
  const { agent, owner, proof, links } = caller;
  console.log(JSON.stringify({ agent, owner, proof, links }));
  response.end(`hello ${agent}, approved by ${owner.id}\n`);
});

createServer(hello).listen(port, "localhost", () => console.log("{}"));
