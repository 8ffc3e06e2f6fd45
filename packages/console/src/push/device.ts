import { base64url, pushSubscriptionId } from "@countersign/core";
import type { Crypto, JsonObject, Seconds } from "@countersign/core";
import type { Api } from "../api.ts";
import { list, number, optional, text } from "../read.ts";

/** The worker's file, and the part of the site that it may stand before: no page lies there. */
const WORKER = "./push/worker.js";
const SCOPE = "./push/";
const PATH = "/v1/owner/push-subscriptions";
const UNTIL_SIGN_OUT = "countersign-notices-until-sign-out";

/** Whether this browser takes notices for who is signed in, and if not, why. */
export type DeviceState =
  | { readonly is: "unsupported" | "unconfigured" | "blocked" | "off" }
  | { readonly is: "on"; readonly id: string; readonly since: Seconds };

/** A browser that could not be turned on: it would not, or its push service was not reached. */
export class NotTurnedOn extends Error {}

/** What notices need of the page around. */
export interface Around {
  readonly c: Crypto;
  readonly api: Api;
  /** Id of who is signed in. */
  readonly owner: string;
}

interface Policy {
  createScriptURL(url: string): string;
}
interface Trusted {
  readonly trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
  };
}

let policy: Policy | undefined;

/** The one address of a script that this page may name, and the one policy that its headers allow. */
function workerUrl(): string {
  const { trustedTypes } = window as unknown as Trusted; // the platform's types do not have it yet
  if (trustedTypes === undefined) return WORKER;
  policy ??= trustedTypes.createPolicy("push-worker", {
    createScriptURL: (url) => {
      if (url !== WORKER) throw new TypeError("no script of this page");
      return url;
    },
  });
  return policy.createScriptURL(WORKER);
}

const isSupported = (): boolean =>
  "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

async function subscribed(): Promise<PushSubscription | undefined> {
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  return (await registration?.pushManager.getSubscription()) ?? undefined;
}

const keyOf = ({ options }: PushSubscription): string =>
  base64url(new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0)));

/** @param answer the server's list */
export async function deviceState(
  { c, owner }: Pick<Around, "c" | "owner">,
  answer: JsonObject,
): Promise<DeviceState> {
  const key = optional(answer, "application_server_key", text);
  if (key === undefined) return { is: "unconfigured" };
  if (!isSupported()) return { is: "unsupported" };
  if (Notification.permission === "denied") return { is: "blocked" };
  const subscription = await subscribed();
  // one that is tied to another key of the server's gets nothing any more (RFC 8292 4)
  if (subscription === undefined || keyOf(subscription) !== key) return { is: "off" };
  const id = pushSubscriptionId(c, owner, subscription.endpoint);
  const row = list(answer, "subscriptions").find((one) => one["id"] === id);
  return row === undefined ? { is: "off" } : { is: "on", id, since: number(row, "made_at") };
}

/** A subscription needs a worker that runs; ours stands before no page, so that `ready` never comes. */
async function activeWorker(): Promise<ServiceWorkerRegistration> {
  const registration = await navigator.serviceWorker.register(workerUrl(), {
    scope: SCOPE,
    updateViaCache: "none",
  });
  const coming = registration.installing ?? registration.waiting;
  if (registration.active === null && coming !== null)
    await new Promise<void>((resolve, reject) => {
      coming.addEventListener("statechange", () => {
        if (coming.state === "activated") resolve();
        if (coming.state === "redundant") reject(new NotTurnedOn("the worker did not start"));
      });
    });
  return registration;
}

async function subscribe(key: string): Promise<PushSubscription> {
  const registration = await activeWorker();
  // one that was made for another key of the server's, or for somebody else, is of no use any more
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

const octetsOf = (subscription: PushSubscription, name: PushEncryptionKeyName): string =>
  base64url(new Uint8Array(subscription.getKey(name) ?? new ArrayBuffer(0)));

/**
 * Turns notices on; called from a press, since the browser asks the owner then.
 * @param name what the device is called in the list
 * @throws NotTurnedOn, and what the server refuses
 */
export async function turnOn({ api }: Around, answer: JsonObject, name: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new NotTurnedOn("not allowed");
  const key = optional(answer, "application_server_key", text) ?? "";
  const subscription = await subscribe(key).catch(() => {
    throw new NotTurnedOn("no subscription");
  });
  const keys = { p256dh: octetsOf(subscription, "p256dh"), auth: octetsOf(subscription, "auth") };
  try {
    await api.post(PATH, { subscription: { endpoint: subscription.endpoint, keys }, name });
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
}

/** Takes a device from the server's list. */
export const forgetDevice = (api: Api, id: string): Promise<JsonObject> =>
  api.remove(`${PATH}/${id}`);

/** Ends the subscription in this browser, and the worker with it. */
async function endHere(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
  await registration?.unregister();
}

/** Turns notices on this device off, at the server and in the browser. */
export async function turnOff({ api }: Pick<Around, "api">, id: string): Promise<void> {
  await forgetDevice(api, id);
  await endHere();
  setUntilSignOut(false);
}

export const isUntilSignOut = (): boolean => localStorage.getItem(UNTIL_SIGN_OUT) !== null;

export function setUntilSignOut(isSo: boolean): void {
  if (isSo) localStorage.setItem(UNTIL_SIGN_OUT, "1");
  else localStorage.removeItem(UNTIL_SIGN_OUT);
}

/**
 * Before signing out: turns notices off where the owner said so. Where the server is not reached the browser ends them alone,
 * and its push service tells the server.
 */
export async function leaveDevice(around: Around): Promise<void> {
  if (!isUntilSignOut()) return;
  setUntilSignOut(false);
  try {
    const state = await deviceState(around, await around.api.get(PATH));
    if (state.is === "on") await forgetDevice(around.api, state.id);
  } finally {
    void endHere().catch(() => undefined); // signing out does not wait for a push service
  }
}
