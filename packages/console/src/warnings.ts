/** What a warning of the appraisal means for an owner, and what is done about it. Keyed by core's words. */
export const WARNINGS: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  "no Linux security module is active": [
    "No Linux security module.",
    "Nothing on the host confines programs of their own will. Ask its administrator to turn on AppArmor or SELinux.",
  ],
  "it runs as root": [
    "Runs as root.",
    "It can read and change everything on its host. Give it a user of its own.",
  ],
  "it shares the uid of the proxy": [
    "Shares the proxy's user.",
    "It could read the keys. Run it, or the proxy, as another user.",
  ],
  "the uid of the proxy is not known": [
    "The proxy's user is not known.",
    "Whether it could read the keys cannot be said. Update the proxy.",
  ],
  "no seccomp filter": [
    "No system-call filter.",
    "The program may ask the kernel for anything. Start it from a unit or in a container that has one.",
  ],
  "no_new_privs is not set": [
    "May gain privileges.",
    "A set-uid program would lend it more than it has. Start it from a unit with NoNewPrivileges=yes.",
  ],
  "its capabilities reach the whole host": [
    "Capabilities that reach the whole host.",
    "It can touch every other process. Start it without them.",
  ],
  "its capabilities are not known": [
    "Capabilities not known.",
    "The host does not tell what it may do there.",
  ],
  "a script or manifest is the one that the program states": [
    "Its script is only as the program states.",
    "It could have said another. Start it from a unit or a read-only image.",
  ],
  "its root file system can be written": [
    "Its files can be changed.",
    "Run its container with a read-only root.",
  ],
  "the key is in software": [
    "The key is in software.",
    "Whoever is root on the host can copy it. A TPM would keep it; this proxy uses none yet.",
  ],
  "the agent holds the key itself: where is not known": [
    "The agent holds its key itself.",
    "Where it lies is not known.",
  ],
  "a model elsewhere that nobody attests": [
    "A model that runs elsewhere.",
    "Which one answers is the program's word alone.",
  ],
};
