import { checkServer, proxyId, thumbprint } from "@countersign/core";
import { openTarget, serve } from "@countersign/node";
import type { Listener, Log, Timers } from "@countersign/node";
import type { Crypto, Random, Seconds } from "@countersign/core";
import { gatewayApp } from "./app.ts";
import { limitsOf } from "./config.ts";
import type { GatewayFile } from "./config.ts";
import type { GatewayContext } from "./http/caller.ts";
import { loadIdentity, saveCas, saveIdentity } from "./keys/identity.ts";
import type { Identity } from "./keys/identity.ts";
import { Queue } from "./relay/queue.ts";
import { loadSigning } from "./signing/load.ts";
import { caCertificates, reenrol } from "./uplink/enrol.ts";
import { Link } from "./uplink/link.ts";
import type { GatewayWorld, ServerTargets } from "./world.ts";

const RENEW_AFTER_SECONDS = 86_400;
const LOOK_AT_IDENTITY_MS = 3_600_000;
/** State streams of one proxy: the server keeps four. */
const STREAMS_PER_PROXY = 8;

/** The platform, as `main` has it. */
export interface Platform {
  readonly c: Crypto;
  readonly random: Random;
  readonly clock: () => Seconds;
  readonly timers: Timers;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly log: Log;
}

/** The gateway of one trust domain while it runs. */
export interface RunningDomain {
  readonly id: string;
  /** Where proxies reach it. */
  readonly address: string;
  close(): Promise<void>;
}

function targetsOf(file: GatewayFile, identity: Identity): ServerTargets {
  const [root = ""] = identity.cas;
  const spec = {
    url: file.api_url,
    ca: [root],
    cert: identity.cert,
    key: identity.key,
    checkPeer: checkServer(file.trust_domain),
  };
  const maxSockets = Math.max(1, file.proxies.length) * STREAMS_PER_PROXY;
  return { calls: openTarget(spec), streams: openTarget({ ...spec, maxSockets }) };
}

function tlsOf({ cert, key, cas }: Identity): {
  readonly cert: string;
  readonly key: string;
  readonly ca: readonly string[];
} {
  return { cert, key, ca: cas };
}

/** Renews the certificate a day after it was made, and hears hourly of which CAs proxies' certificates are. */
function keepIdentity(
  folder: string,
  file: GatewayFile,
  platform: Platform,
  link: Link,
  listener: Listener,
): () => void {
  const { c, clock, timers, log } = platform;
  const load = (): Promise<Identity> => loadIdentity(folder, file.trust_domain, file.name);
  const look = async (): Promise<void> => {
    const { certificate, id, root } = link.identity;
    if (clock() - certificate.notBefore >= RENEW_AFTER_SECONDS) {
      const next = await link.use(({ calls }) => reenrol(c, calls, { id, root }, clock()));
      await saveIdentity(folder, next);
      await link.replace(await load());
      log.info("gateway.renewed", { id, not_after: link.identity.certificate.notAfter });
    } else await saveCas(folder, root, await link.use(({ calls }) => caCertificates(calls)));
    listener.replaceTls(tlsOf(await load()));
  };
  let cancel: () => void = () => undefined;
  const lookAndGoOn = (): void => {
    void look()
      .catch((error: unknown) => log.error("gateway.renewal_failed", { error }))
      .finally(() => {
        cancel = timers.after(LOOK_AT_IDENTITY_MS, lookAndGoOn);
      });
  };
  lookAndGoOn();
  return () => cancel();
}

/** Runs the gateway of one trust domain. @throws Refusal `configuration_invalid`, `attester_unknown`, `private_mode` */
export async function runDomain(
  folder: string,
  file: GatewayFile,
  platform: Platform,
): Promise<RunningDomain> {
  const identity = await loadIdentity(folder, file.trust_domain, file.name);
  const link = new Link(identity, (now) => targetsOf(file, now));
  const queue = new Queue(limitsOf(file), platform.timers, platform.nowMs);
  const w: GatewayWorld = {
    ...platform,
    trustDomain: file.trust_domain,
    proxies: new Set(file.proxies.map((name) => proxyId(file.trust_domain, name))),
    queue,
    keyThumbprint: () => thumbprint(platform.c, link.identity.certificate.key),
    useServer: (act) => link.use(act),
  };
  const signing = await loadSigning(platform.c, folder, file);
  const listener = await serve<GatewayContext>({
    on: { host: file.listen_host, port: file.listen_port, tls: tlsOf(identity) },
    app: gatewayApp(w, signing),
    contextOf: (_socket, certificate) => (certificate === undefined ? {} : { certificate }),
    log: platform.log,
  });
  const stopLooking = keepIdentity(folder, file, platform, link, listener);
  platform.log.info("gateway.running", {
    id: identity.id,
    address: listener.address,
    server: file.api_url,
    proxies: file.proxies.length,
    signs_for: signing?.owner ?? "nobody",
  });
  return {
    id: identity.id,
    address: listener.address,
    close: async () => {
      stopLooking();
      queue.close();
      await listener.close();
      link.close();
    },
  };
}
