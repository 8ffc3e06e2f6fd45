import type { Command } from "commander";
import type { Cli } from "./terminal.ts";

/** One first word of the command line; its file is loaded when it is typed, no other. */
export interface Noun {
  readonly name: string;
  readonly about: string;
  readonly load: () => Promise<{ readonly build: (cli: Cli) => Command }>;
}

/** Every first word, in the order of the overview; completion is made from it too. */
export const NOUNS: readonly Noun[] = [
  {
    name: "dev",
    about: "run a server and a proxy for development on this machine",
    load: () => import("./commands/dev.ts"),
  },
  {
    name: "run",
    about: "start an agent behind a door of its own",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "agent",
    about: "register agents, list and remove them",
    load: () => import("./commands/agent.ts"),
  },
  {
    name: "owner",
    about: "enrol keys, see requests, approve and deny",
    load: () => import("./commands/owner.ts"),
  },
  {
    name: "credential",
    about: "look into a token or certificate",
    load: () => import("./commands/credential.ts"),
  },
  {
    name: "verify",
    about: "check a credential and its owner offline, link by link",
    load: () => import("./commands/verify.ts"),
  },
  {
    name: "halt",
    about: "stop an agent, owner, proxy or everything at once",
    load: () => import("./commands/halt.ts"),
  },
  {
    name: "lift",
    about: "lift a stop; owners sign anew",
    load: () => import("./commands/lift.ts"),
  },
  {
    name: "log",
    about: "show, verify, follow and witness the log",
    load: () => import("./commands/log.ts"),
  },
  {
    name: "doctor",
    about: "look for what is wrong on this machine",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "server",
    about: "make and run the identity server",
    load: () => import("./commands/server.ts"),
  },
  {
    name: "proxy",
    about: "enrol and run the identity proxy of a host",
    load: () => import("./commands/proxy.ts"),
  },
  {
    name: "completion",
    about: "print the tab completion for bash, zsh or fish",
    load: () => import("./commands/completion.ts"),
  },
];
