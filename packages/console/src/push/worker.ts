import { readPushMessage } from "@countersign/core";
import { ENDED, UNREAD, wordsOf } from "./words.ts";
import type { Words } from "./words.ts";

// The only worker of the console. It listens to three events and to none that a page makes: no page, file or call ever
// passes through it (docs/decisions/0013-push-worker.md).

interface ExtendableEvent {
  waitUntil(done: Promise<unknown>): void;
}
interface PushEvent extends ExtendableEvent {
  readonly data: { arrayBuffer(): ArrayBuffer } | null;
}
interface NotificationEvent extends ExtendableEvent {
  readonly notification: { close(): void };
}

/** What of a service worker is used here; the types of the platform name a window's. */
interface Worker {
  readonly registration: {
    showNotification(title: string, options: { body: string; tag: string }): Promise<void>;
  };
  readonly clients: {
    matchAll(options: {
      type: "window";
      includeUncontrolled: true;
    }): Promise<readonly { focus(): Promise<unknown> }[]>;
    openWindow(url: string): Promise<unknown>;
  };
  readonly location: { readonly href: string };
  addEventListener(type: "push", listener: (event: PushEvent) => void): void;
  addEventListener(type: "notificationclick", listener: (event: NotificationEvent) => void): void;
  addEventListener(
    type: "pushsubscriptionchange",
    listener: (event: ExtendableEvent) => void,
  ): void;
}
const worker = self as unknown as Worker; // it runs as a service worker, and as nothing else

const show = ({ title, body }: Words, tag: string): Promise<void> =>
  worker.registration.showNotification(title, { body, tag });

function shown({ data }: PushEvent): Promise<void> {
  try {
    const message = readPushMessage(new Uint8Array(data?.arrayBuffer() ?? new ArrayBuffer(0)));
    return show(wordsOf(message), message.id);
  } catch {
    return show(UNREAD, "unread");
  }
}

/** Always the inbox of this origin, wherever the notification came from: nothing in a message names a place. */
async function openInbox(): Promise<unknown> {
  const [open] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  // a page on which somebody reads is brought forward as it is
  if (open !== undefined) return open.focus();
  return worker.clients.openWindow(new URL("../#/inbox", worker.location.href).href);
}

worker.addEventListener("push", (event) => event.waitUntil(shown(event)));
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openInbox());
});
worker.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(show(ENDED, "ended")));
