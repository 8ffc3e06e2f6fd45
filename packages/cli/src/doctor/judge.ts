import { habitWords, isObject } from "@countersign/core";
import type { Habits, JsonObject, Seconds } from "@countersign/core";
import { list, number, text } from "../sockets.ts";
import { duration, instant } from "../terminal.ts";
import { bad, good, warning } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** What was seen of a daemon's admin socket: not there, there and silent, or its answer. */
export interface Daemon {
  readonly socket?: string;
  /** Why it did not answer. */
  readonly fault?: string;
  readonly status?: JsonObject;
}

/** A folder that nobody else may enter, as it was found. */
export interface PrivateFolder {
  readonly path: string;
  /** Paths at or below it that others can read or enter. */
  readonly open: readonly string[];
  readonly isReadable: boolean;
}

/** Everything that is judged; whoever gathers it judges nothing. */
export interface Facts {
  readonly now: Seconds;
  readonly nodeVersion: string;
  readonly platform: string;
  readonly server: Daemon;
  readonly proxy: Daemon;
  /** Why the kernel did not say who is at the other end of a socket; absent: it did. */
  readonly peerFault?: string;
  readonly folders: readonly PrivateFolder[];
  /** How each person decides, by name; absent where the server was not asked. */
  readonly habits?: ReadonlyMap<string, Habits>;
  /** Where sockets were looked for. */
  readonly places: readonly string[];
}

const DAY_SECONDS = 86_400;
const CA_WARNING_SECONDS: Seconds = 10 * DAY_SECONDS;
const PROXY_WARNING_SECONDS: Seconds = 3 * DAY_SECONDS;
const SKEW_WARNING_SECONDS = 10;
const SKEW_BAD_SECONDS = 120;
const SILENCE_SECONDS = 60;
const LEAST_NODE = [20, 19] as const;

function judgeNode({ nodeVersion }: Facts): Finding {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, "").split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  const isNew = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  return isNew
    ? good("node", nodeVersion)
    : bad("node", `${nodeVersion} is too old`, `Install Node ${LEAST_NODE.join(".")} or newer.`);
}

function judgePeers({ platform, peerFault }: Facts): Finding {
  if (platform !== "linux")
    return bad(
      "kernel",
      `${platform} does not say who is at a socket as the proxy needs it`,
      "Run the proxy on Linux; the server and verifying work here.",
    );
  return peerFault === undefined
    ? good("kernel", "says who is at the other end of a socket")
    : bad(
        "kernel",
        `does not say who is at the other end of a socket (${peerFault})`,
        "Run outside of the sandbox that forbids it, and install the packages for this platform.",
      );
}

/** A socket that is missing is fine where the daemon runs on another machine, as long as one of the two is here. */
function judgeDaemon(name: "server" | "proxy", daemon: Daemon, facts: Facts): Finding {
  const { socket, fault } = daemon;
  const other = name === "server" ? facts.proxy : facts.server;
  const start = `Start it: countersign dev, or countersign ${name} run.`;
  if (socket === undefined) {
    const places = `no ${name}.sock in ${facts.places.join(", ")}`;
    return other.socket === undefined
      ? bad(name, places, `${start} Elsewhere: --data DIR.`)
      : warning(name, places, `Fine where it runs on another machine. Else: ${start}`);
  }
  if (fault !== undefined)
    return bad(name, `${socket} does not answer (${fault})`, `${start} Or call as its user.`);
  return good(name, `answers at ${socket}`);
}

function judgeClock(now: Seconds, status: JsonObject): Finding {
  const skew = number(status, "now") - now;
  const words = skew === 0 ? "the server's" : `${Math.abs(skew)} s off the server's`;
  if (Math.abs(skew) <= SKEW_WARNING_SECONDS) return good("clock", words);
  const isFar = Math.abs(skew) > SKEW_BAD_SECONDS;
  return (isFar ? bad : warning)(
    "clock",
    words,
    "Set the clocks: let both machines follow one time server.",
  );
}

function judgeEnd(
  about: string,
  end: Seconds,
  now: Seconds,
  warnSeconds: Seconds,
  next: string,
): Finding {
  const words = `until ${instant(end)}, in ${duration(end - now)}`;
  if (end <= now) return bad(about, `ended at ${instant(end)}`, next);
  return end - now < warnSeconds ? warning(about, words, next) : good(about, words);
}

/** Until when one key after the other signs; a key that is prepared counts where it begins before the last one ends. */
function coveredUntil(keys: readonly JsonObject[], now: Seconds): Seconds {
  let end = 0;
  for (const key of keys.toSorted((a, b) => number(a, "nbf") - number(b, "nbf")))
    if (number(key, "nbf") <= Math.max(now, end)) end = Math.max(end, number(key, "exp"));
  return end;
}

const CA_NEXT =
  "Put the root keys back in the server's folder roots, run countersign server keys rotate --ca, take them away again.";

function judgeKeys(now: Seconds, status: JsonObject): readonly Finding[] {
  const keys = isObject(status["keys"]) ? status["keys"] : {};
  const end = (name: string): Seconds => {
    const ca = keys[name];
    return isObject(ca) ? number(ca, "not_after") : 0;
  };
  const witEnd = coveredUntil(list(keys, "wit"), now);
  return [
    judgeEnd("agents CA", end("agents_ca"), now, CA_WARNING_SECONDS, CA_NEXT),
    judgeEnd("hosts CA", end("infrastructure_ca"), now, CA_WARNING_SECONDS, CA_NEXT),
    judgeEnd("token key", witEnd, now, CA_WARNING_SECONDS, "countersign server keys rotate --wit"),
  ];
}

function judgeEnrolled(now: Seconds, status: JsonObject): readonly Finding[] {
  return list(status, "proxies").map((proxy) => {
    const about = "host";
    const id = text(proxy, "id");
    const again = "Enrol it again: countersign server join-token --proxy NAME --replace.";
    if (proxy["forked"] === true)
      return bad(about, `${id} was used from two places`, again, "administrator");
    if (proxy["state"] === "halted")
      return warning(
        about,
        `${id} is stopped`,
        "See who stopped it: countersign lift.",
        "administrator",
      );
    const end = number(proxy, "not_after");
    if (end <= now) return warning(about, `${id}: its certificate ended`, again, "administrator");
    return good(about, `${id}, certificate for ${duration(end - now)}`);
  });
}

/** Addresses of owners that are told nothing any more, since they took nothing for days. */
function judgeWebhooks(status: JsonObject): readonly Finding[] {
  return list(status, "webhooks_disabled").map((row) =>
    warning(
      "webhook",
      `${text(row, "id")} took nothing and gets nothing since ${instant(number(row, "since"))}`,
      `See why: countersign owner webhook test ${text(row, "id")}. Once it is taken, it works again.`,
      "administrator",
    ),
  );
}

function judgeServer(facts: Facts): readonly Finding[] {
  const { status } = facts.server;
  if (status === undefined) return [];
  const { hold } = status;
  const held =
    typeof hold === "string"
      ? bad(
          "hold",
          `nothing is issued: ${hold}`,
          "Stop the server and put the newest copy of its data directory in place. Only where none is left: countersign server recover.",
        )
      : good("hold", "none: the log and the last checkpoint agree");
  // ends are judged by the server's own clock, a wrong clock here is a line of its own
  const now = number(status, "now");
  return [
    judgeClock(facts.now, status),
    held,
    ...judgeKeys(now, status),
    ...judgeEnrolled(now, status),
    ...judgeWebhooks(status),
  ];
}

function judgeProxy(facts: Facts): readonly Finding[] {
  const { status } = facts.proxy;
  if (status === undefined) return [];
  const now = number(status, "now");
  const heard = number(status, "heard_at");
  const hasHeard = typeof status["trust_domain"] === "string";
  const silence = hasHeard ? `heard it ${duration(now - heard)} ago` : "never heard it";
  const isConnected = status["connected"] === true && now - heard <= SILENCE_SECONDS;
  const connection = isConnected
    ? good("uplink", `the proxy is connected to its server, ${silence}`)
    : bad(
        "uplink",
        `the proxy does not reach its server, ${silence}`,
        "Look at its log, and at api_url: countersign proxy config.",
      );
  const certificate = isObject(status["certificate"]) ? status["certificate"] : {};
  const end = number(certificate, "not_after");
  const next = "It renews itself daily while the server is reached; once ended, enrol again.";
  return [
    connection,
    judgeEnd("proxy's key", end, now, PROXY_WARNING_SECONDS, next),
    ...list(status, "presigned").flatMap((item) => judgePresigned(now, item)),
  ];
}

/** An approval that was signed on this host: whether the server has it. */
function judgePresigned(now: Seconds, item: JsonObject): readonly Finding[] {
  const { reason } = item;
  const what = `the approval ${text(item, "code")} that was signed here`;
  if (item["state"] === "waiting")
    return [
      warning(
        "presigned",
        `${what} waits for the server, ${duration(number(item, "until") - now)} left`,
        "The proxy brings it by itself once the server is reached.",
      ),
    ];
  if (item["state"] !== "refused") return [];
  const why = typeof reason === "string" ? reason : "no reason";
  const next = "Sign anew: countersign owner presign AGENT --key FILE.";
  return [bad("presigned", `${what} was refused: ${why}`, next, "owner")];
}

function judgeFolder(folder: PrivateFolder): Finding {
  const { path, open, isReadable } = folder;
  if (!isReadable)
    return warning(
      "modes",
      `${path} cannot be looked at by this user`,
      "Run the doctor as its user.",
    );
  if (open.length === 0) return good("modes", `${path} is closed to others`);
  const named = open.slice(0, 3).join(", ");
  const more = open.length > 3 ? ` and ${open.length - 3} more` : "";
  return bad("modes", `others can read or enter ${named}${more}`, `chmod -R go-rwx ${path}`);
}

function judgeHabits({ habits }: Facts): readonly Finding[] {
  if (habits === undefined || habits.size === 0) return [];
  const found = [...habits].flatMap(([name, one]) =>
    habitWords(one).signs.map((sign) => {
      const next = `Ask what they are asked too often, and make it standing: countersign owner habits ${name}`;
      return warning("owners", `${name}: ${sign}`, next, "administrator");
    }),
  );
  return found.length > 0 ? found : [good("owners", "no sign that texts are signed unread")];
}

/** Every line, in order. */
export function judge(facts: Facts): readonly Finding[] {
  return [
    judgeNode(facts),
    judgePeers(facts),
    judgeDaemon("server", facts.server, facts),
    ...judgeServer(facts),
    ...judgeHabits(facts),
    judgeDaemon("proxy", facts.proxy, facts),
    ...judgeProxy(facts),
    ...facts.folders.map(judgeFolder),
  ];
}
