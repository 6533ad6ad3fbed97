import { afterAll, describe, expect, test } from "vitest";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, site } = opened;

/** A refusal in Connect's JSON. */
interface Refusal {
  readonly message: string;
  readonly details?: readonly { readonly debug: { readonly reason: string } }[];
}

async function listUsers(headers: Readonly<Record<string, string>>) {
  const answer = await fetch(`${service.url}/signet.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: "{}",
  });
  const { message, details = [] } = (await answer.json()) as Refusal;
  return { status: answer.status, message, debug: details[0]?.debug };
}

describe("a call without a credential", () => {
  test.each([
    ["no header", {}, "authorization is missing from the headers"],
    [
      "a key alone",
      { authorization: site.key },
      "authorization must be `Bearer <key or access token>`",
    ],
    [
      "two keys",
      { authorization: `Bearer ${site.key} ${site.key}` },
      "authorization must be `Bearer <key or access token>`",
    ],
  ])("is told so, since whoever makes it sees that, too: %s", async (_, headers, message) => {
    const refused = await listUsers(headers);

    expect(refused).toMatchObject({ status: 401, message });
    expect(refused.debug?.reason).toBe("ERROR_REASON_CREDENTIAL_INVALID");
  });

  test.each([
    ["an unknown key", `${site.key.slice(0, -4)}AAAA`],
    ["half a key", site.key.slice(0, -4)],
    ["an operator key that is none", `sgn_op_${"A".repeat(43)}`],
    ["what is no token", "nonsense"],
  ])("is not told apart from a key that was revoked: %s", async (_, credential) => {
    const refused = await listUsers({ authorization: `Bearer ${credential}` });

    expect(refused).toEqual({
      status: 401,
      message: "credential invalid",
      debug: { reason: "ERROR_REASON_CREDENTIAL_INVALID" },
    });
  });
});
