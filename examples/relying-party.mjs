// A service that asks every caller: which agent are you, and did your owner approve you?
//   node examples/relying-party.mjs ~/.local/state/countersign/relying-party.json
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { protect, relyingParty } from "@countersign/sdk/node";

const [trustFile = "relying-party.json", port = "4000"] = process.argv.slice(2);

const party = relyingParty({
  trust: readFileSync(trustFile),
  resources: [`http://localhost:${port}`],
  demand: { proof: "logged" }, // the owner's signature, and the log's proof that it is no secret
});

const hello = protect(party, ({ caller }, response) => {
  response.end(`hello ${caller.agent}, approved by ${caller.owner.id}\n`);
});

createServer(hello).listen(port, "localhost", () =>
  console.log(`listening on http://localhost:${port}`),
);
