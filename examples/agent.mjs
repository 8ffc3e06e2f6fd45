// An agent: it waits until its owner has approved it, then says who it is with every request.
//   countersign run --agent hello -- node examples/agent.mjs http://localhost:4000/
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "@countersign/sdk/agent";

const [url = "http://localhost:4000/"] = process.argv.slice(2);

async function main() {
  const agent = await connect({ note: "I say hello once a second." });
  for (;;) {
    const answer = await agent.fetch(url); // token and proof are added; no key is ever in this process
    console.log(answer.status, (await answer.text()).trim());
    await pause(1000);
  }
}

await main().catch((error) => {
  console.error(
    error.code === undefined
      ? `no answer of ${url}: ${error.cause?.code ?? error.message}`
      : `refused: ${error.code}. ${error.next ?? error.message}`,
  );
  process.exitCode = 1;
});
