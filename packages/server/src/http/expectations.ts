import { Members, parseName } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import { announceStart, listStarter, unlistStarter } from "../cases/expectations.ts";
import type { StarterRow } from "../store/rows.ts";
import type { World } from "../world.ts";

const MAX_BODY_BYTES = 4096;
const MAX_UID = 4_294_967_295;

/** Who acts: one owner in his session, or whoever may act for every one, who names him. */
export interface Acting {
  /** Owner id. */
  readonly owner?: string;
  readonly by: string;
}

const nameOf = (proxy: string): string => {
  const name = parseName(proxy);
  return name.kind === "proxy" ? name.name : proxy;
};

/** Body `{ agent, host? }`. */
export async function announce(w: World, request: Request, who: Acting): Promise<Response> {
  const body = await readJsonBody(request, MAX_BODY_BYTES);
  const posted = new Members(body, "malformed_request", "expectation");
  const agent = posted.text("agent", { maxLength: 512 });
  const host = posted.optional("host", (name) => posted.text(name, { maxLength: 128 }));
  posted.end();
  const { owner, by } = who;
  const asked = {
    agent,
    ...(host === undefined ? {} : { host }),
    ...(owner === undefined ? {} : { owner }),
  };
  const { entry, proxy, exp } = await announceStart(w, asked, by);
  return json({ entry, proxy, until: exp });
}

const starterView = ({ proxy, uid, since }: StarterRow): JsonObject => ({
  host: nameOf(proxy),
  uid,
  since,
});

export async function starters(w: World, owner: string): Promise<Response> {
  return json({ starters: (await w.store.starters(owner)).map(starterView) });
}

/** Body `{ host, uid, listed }`. @param find whose list, looked for once the body is one */
export async function changeStarters(
  w: World,
  request: Request,
  find: () => Promise<string>,
  by: string,
): Promise<Response> {
  const body = await readJsonBody(request, MAX_BODY_BYTES);
  const posted = new Members(body, "malformed_request", "starter");
  const host = posted.text("host", { maxLength: 128 });
  const uid = posted.integer("uid", 0, MAX_UID);
  const isListed = posted.flag("listed");
  posted.end();
  const owner = await find();
  if (isListed) await listStarter(w, { owner, host, uid }, by);
  else await unlistStarter(w, { owner, host, uid }, by);
  return starters(w, owner);
}
