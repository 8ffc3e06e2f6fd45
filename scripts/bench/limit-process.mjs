// Runs one limit on the core that it was started on and tells its operations a processor second.
import { issueLimit, proofLimit } from "./limits.mjs";
import { turnOf } from "./measure.mjs";

const [which, seconds] = process.argv.slice(2);
const limit = which === "issue" ? issueLimit() : proofLimit();
await turnOf(limit, Number(seconds) / 4);
process.send(await turnOf(limit, Number(seconds)), () => process.disconnect());
