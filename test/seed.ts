import fc from "fast-check";

// Runs repeat each other. FC_SEED=<number> looks elsewhere; what it finds becomes a row of a table.
fc.configureGlobal({ seed: Number(process.env["FC_SEED"] ?? 1) });
