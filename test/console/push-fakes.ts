/**
 * What this headless Chromium does not do: it denies notifications whatever was granted, and its push service is on the
 * internet. Both are put in the browser's place by name; everything else is the browser's own.
 */
export interface PushFakes {
  /** What the person answers when the browser asks. */
  readonly answer: "granted" | "denied";
  readonly endpoint: string;
  /** Base64url. */
  readonly p256dh: string;
  readonly auth: string;
}

/** For `addInitScript`: runs in every page before its own scripts. */
export function fakePush({ answer, endpoint, p256dh, auth }: PushFakes): void {
  const octets = (text: string): ArrayBuffer =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    ).buffer;
  const kept = "test-push";
  const asked = "test-permission";
  type Storage = {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
    removeItem(name: string): void;
  };
  const { localStorage, Notification, PushManager } = globalThis as unknown as {
    localStorage: Storage;
    Notification: object;
    PushManager: { prototype: object };
  };
  const subscription = {
    endpoint,
    get options() {
      return { applicationServerKey: octets(localStorage.getItem(kept) ?? "") };
    },
    getKey: (name: string) => octets(name === "auth" ? auth : p256dh),
    unsubscribe: () => {
      localStorage.removeItem(kept);
      return Promise.resolve(true);
    },
  };
  Object.defineProperty(Notification, "permission", {
    get: () => localStorage.getItem(asked) ?? "default",
  });
  Object.assign(Notification, {
    requestPermission: () => {
      localStorage.setItem(asked, answer);
      return Promise.resolve(answer);
    },
  });
  Object.assign(PushManager.prototype, {
    getSubscription: () =>
      Promise.resolve(localStorage.getItem(kept) === null ? null : subscription),
    subscribe: (options: { readonly applicationServerKey: string }) => {
      localStorage.setItem(kept, options.applicationServerKey);
      return Promise.resolve(subscription);
    },
  });
}
