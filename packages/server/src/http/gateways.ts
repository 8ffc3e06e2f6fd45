import { Members } from "@countersign/core";
import type { Json } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Endpoint } from "@countersign/node";
import { makeGatewayToken, MAX_GATEWAY_OWNERS, MAX_GATEWAY_PROXIES } from "../cases/gateways.ts";
import type { World } from "../world.ts";

const MAX_BODY_BYTES = 65_536;
const MAX_JOIN_SECONDS = 86_400;
const MAX_NAME_CHARACTERS = 320;

/** `POST /v1/gateway-tokens { name, owners, proxies, life?, replace? }` → a join token of that gateway. */
export const gatewayToken =
  (w: World): Endpoint<object> =>
  async (request) => {
    const posted = new Members(
      await readJsonBody(request, MAX_BODY_BYTES),
      "malformed_request",
      "gateway token",
    );
    const names = (member: string, most: number): readonly string[] =>
      posted.list(
        member,
        (item: Json) =>
          typeof item === "string" && item.length <= MAX_NAME_CHARACTERS
            ? item
            : posted.fail(member, "holds something that is no name"),
        most,
      );
    const order = {
      name: posted.text("name", { maxLength: 64 }),
      owners: names("owners", MAX_GATEWAY_OWNERS),
      proxies: names("proxies", MAX_GATEWAY_PROXIES),
      lifeSeconds:
        posted.optional("life", (name) => posted.integer(name, 1, MAX_JOIN_SECONDS)) ?? 600,
      replace: posted.optional("replace", (name) => posted.flag(name)) ?? false,
    };
    posted.end();
    return json({ token: await makeGatewayToken(w, order) });
  };

/** `GET /v1/gateways`: whom each may speak and sign for. */
export const listGateways =
  (w: World): Endpoint<object> =>
  async () => {
    const [gateways, live] = await Promise.all([w.store.gateways(), w.store.proxies()]);
    return json({
      gateways: gateways.map(({ id, owners, proxies, registeredAt }) => {
        const enrolled = live.find((row) => row.id === id);
        return {
          id,
          owners,
          proxies,
          registered_at: registeredAt,
          ...(enrolled === undefined
            ? {}
            : { state: enrolled.state, not_after: enrolled.notAfter }),
        };
      }),
    });
  };
