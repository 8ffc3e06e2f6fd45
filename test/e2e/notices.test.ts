import { appendFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Home, tell, until } from "./countersign.ts";
import type { Running } from "./countersign.ts";

interface Message {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** An owner's receiver, on this machine. */
const messages: Message[] = [];
let status = 500;
const receiver = createServer((incoming, outgoing) => {
  let body = "";
  incoming.setEncoding("utf8").on("data", (piece: string) => (body += piece));
  incoming.on("end", () => {
    messages.push({ headers: incoming.headers as Record<string, string>, body });
    outgoing.writeHead(status).end();
  });
});

let home: Home;
let url: string;
let running: Running;
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`; // it listens on TCP
  home = await Home.create();
  await (await home.dev()).running.stop();
  const networks = `notice_networks: ["127.0.0.1/32"]\ninsecure_notice_origins: ["${url}"]\n`;
  await appendFile(join(home.data, "server", "server.yaml"), networks);
  ({ running } = await home.dev());
});
afterAll(async () => {
  await home.close();
  receiver.closeAllConnections();
  receiver.close();
});

it("an announced question comes to who watches and to a webhook, over a restart; one that nobody announced to neither", async () => {
  await home.owner("me");
  for (const name of ["reader", "mailer"]) await home.register(name, "--owner", "me");
  const added = await home.json(["owner", "webhook", "add", "me", `${url}/hook`]);
  const secret = String(added["secret"]);
  const watch = home.start(["owner", "watch", "me", "--json"]);
  await watch.when("beginning", ({ err }) => err.find((line) => line.includes("Nobody waits")));

  const stranger = home.courier("mailer");
  await tell(stranger, "/v1/credential", {});
  await home.json(["owner", "expect", "reader"]);
  const agent = home.courier("reader");
  await tell(agent, "/v1/credential", {});
  const line = await watch.when("notice", ({ out }) => out[0]);
  expect(JSON.parse(line)).toMatchObject({ kind: "request", agent: "reader" });
  const first = await until("message", () => messages[0]);
  expect(first.body).not.toContain("mailer");

  // the receiver was away, and so is the server now: the message is in the outbox
  await agent.stop();
  await stranger.stop();
  await running.stop();
  await home.dev();
  status = 204;
  const seen = messages.length;
  const again = await until("message once more", () => messages[seen]);
  expect(again.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  const { body, headers } = again;
  expect(new Webhook(secret).verify(body, headers)).toMatchObject({
    type: "request.waiting",
    data: { agent: "reader" },
  });
  await until("empty outbox", async () => {
    const { webhooks } = await home.local("server.sock", "/v1/owner/webhooks");
    return (webhooks as readonly { failures: number }[])[0]?.failures === 0 ? true : undefined;
  });
  expect(watch.out).toHaveLength(1);
});
