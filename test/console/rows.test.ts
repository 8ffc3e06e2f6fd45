// What the inbox says beside its rows, what it says where nobody waits, and where it leads.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { tell } from "../e2e/countersign.ts";
import { picture } from "./pictures.ts";
import { approve, heading, Scene } from "./scene.ts";

const AT = ["--location", "http://localhost:4000/", "--action", "send"];
const RISKY = [...AT, "--action-class", "irreversible_action"];
const BINDING = [...AT, "--action-class", "external_commitment"];
const HARMLESS = [...AT, "--action-class", "read_only"];

let scene: Scene;
let page: Page;
beforeAll(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.afterEach());
afterAll(() => scene.close());

const row = (name: string) => page.locator(".row", { hasText: new RegExp(`^${name} on`) });
const pills = (name: string) => row(name).locator(".pill").allTextContents();
const empty = () => page.locator(".inbox-empty");

it("says where nobody waits what to do next: no agent, one without an approval, one that works, one that is stopped", async () => {
  const desk = await scene.signedIn();
  ({ page } = desk);
  await empty().getByText("No agent is registered for you.").waitFor();
  await scene.home.register("reader", "--owner", "robin", "--single");
  await page.reload();
  await empty().getByText("countersign run --agent reader -- COMMAND").waitFor();
  await picture(page, "inbox-empty");
  const reader = scene.home.courier("reader");
  await tell(reader, "/v1/credential", {});
  await page.getByRole("link", { name: "Read reader" }).click();
  await heading(page, "reader asks for a credential").waitFor();
  await approve(page);
  await page.getByRole("link", { name: "To the inbox" }).click();
  await empty()
    .getByText(/^Your agents work inside what you signed\. The next approval ends /)
    .waitFor();
  await page.getByRole("link", { name: "See the agents" }).click();
  await heading(page, "Agents").waitFor();
  await scene.home.json(["halt", "agent", "reader"]);
  await page.getByRole("link", { name: "Inbox" }).first().click();
  await empty().getByText("Your agents are stopped.").waitFor();
  await reader.stop();
  expect(desk.complaints).toEqual([]);
});

it("says of an announced one which lines are marked, what changed, and that somebody waits; of another nothing", async () => {
  ({ page } = await scene.signedIn());
  await page.mouse.move(0, 0); // rows under the pointer stay
  const risky = await scene.askAtTerminal({ limits: RISKY, isAnnounced: true });
  const binding = await scene.ask({ limits: BINDING, isAnnounced: true });
  const strange = await scene.ask({ limits: RISKY });
  await row(strange.name).waitFor();
  expect(await pills(risky.name)).toEqual(["1 line cannot be undone"]);
  expect(await pills(binding.name)).toEqual(["1 line to read closely"]);
  expect(await pills(strange.name)).toEqual([]);
  await row(risky.name).getByText("Someone waits at its terminal").waitFor();
  expect(await page.getByText("Someone waits at its terminal").count()).toBe(1);
  await picture(page, "inbox-pills");
});

it("says of one that was approved before what changed since, and keeps what was decided with its day", async () => {
  ({ page } = await scene.signedIn());
  await scene.home.register("ledger", "--owner", "robin", "--single", ...HARMLESS);
  const ask = async () => {
    await scene.home.json(["owner", "expect", "ledger"]);
    const agent = scene.home.courier("ledger");
    await tell(agent, "/v1/credential", {});
    await row("ledger").getByRole("link", { name: "Read and decide" }).waitFor();
    return agent;
  };
  const first = await ask();
  await page.getByRole("link", { name: "Read and decide ledger" }).click();
  await heading(page, "ledger asks for a credential").waitFor();
  await approve(page);
  expect(await tell(first, "/v1/credential?wait=60", {})).toMatchObject({ status: 200 });
  await first.stop();
  await page.getByRole("link", { name: "To the inbox" }).click();
  const second = await ask();
  await expect.poll(() => pills("ledger")).toEqual(["Nothing changed"]);
  await second.stop();
  await scene.home.register("ledger", "--owner", "robin", "--single", ...RISKY);
  const third = await ask();
  await expect
    .poll(() => pills("ledger"))
    .toEqual(["1 line cannot be undone", expect.stringMatching(/^\d+ things? changed$/)]);
  await third.stop();
  await page.mouse.move(0, 0); // what is decided meanwhile comes where no row is under the pointer
  await page.reload();
  await page
    .getByRole("link", { name: /^ledger on / })
    .first()
    .click();
  await heading(page, "ledger").waitFor();
  await page.getByRole("link", { name: "Inbox" }).first().click();
  await page.getByRole("link", { name: "All in the log" }).click();
  await heading(page, "Log").waitFor();
});

it("names the command that renders the request elsewhere, under the text", async () => {
  ({ page } = await scene.signedIn());
  const asking = await scene.ask({ isAnnounced: true });
  await scene.read(page, asking);
  await page.getByText("Compare in a terminal").press("Enter");
  const command = page.locator(".compare code");
  expect(await command.innerText()).toBe(`countersign owner approve ${asking.id} --key FILE`);
  await picture(page, "request-compare");
  const stranger = await scene.home.keyFile("stranger");
  const words = (await command.innerText()).replace("FILE", stranger.path).split(" ").slice(1);
  const said = await scene.home.cli([...words, "--print", "--json"]);
  // it is known there, and shown to whoever has a key of the owner
  expect(said.code).not.toBe(0);
  expect(said.out + said.err).toContain("key_not_enrolled");
});

it("says on Keys which of the printed codes are used, by their numbers on the paper", async () => {
  ({ page } = await scene.signedIn());
  const made = await scene.home.local("server.sock", "/v1/owner/stop-codes", { owner: "robin" });
  const codes = made["codes"] as readonly string[]; // as the server prints them
  const used = async (): Promise<readonly string[]> => page.locator(".code-used").allTextContents();
  await page.evaluate(`location.hash = "#/keys"`);
  const boxes = page.getByRole("list", { name: "Codes of the last sheet" }).getByRole("listitem");
  await expect.poll(() => boxes.count()).toBe(codes.length);
  expect(await used()).toEqual([]);
  await page.evaluate(`location.hash = "#/stop"`);
  await page.getByLabel("Printed code").fill(codes[2] ?? "");
  await page.getByLabel("Printed code").press("Enter");
  await page.getByText(`${codes.length - 1} codes are left.`).waitFor();
  await page.evaluate(`location.hash = "#/keys"`);
  await expect.poll(used).toEqual(["3 used"]);
  await picture(page, "keys-codes");
});
