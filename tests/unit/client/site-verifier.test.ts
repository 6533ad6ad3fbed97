import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { createSignetClient, VerifierUnavailableError } from "../../../src/client/index.ts";
import { refusal, startServer } from "./watch-server.ts";

const ID = "0198c1f0-0000-7000-8000-000000000001";

test("the verifier of a client asks for the issuer until it has learnt it", async () => {
  const asked: string[] = [];
  await using server = await startServer((router) => {
    router.rpc(SiteService.method.getSite, ({ siteId }) => {
      asked.push(siteId);
      if (asked.length === 1) throw refusal(Code.PermissionDenied, ErrorReason.ACCESS_DENIED);
      return { site: { id: ID, issuer: `https://id.example.com/sites/${ID}` } };
    });
  });
  const client = createSignetClient({ url: server.url, key: "sgn_op_test", siteId: ID });
  const verifier = client.tokenVerifier({ audience: "shop" });
  const token = `${Buffer.from('{"alg":"ES256","typ":"at+jwt"}').toString("base64url")}.e30.AA`;

  // This server has no public keys, so that no token can be checked.
  for (let n = 0; n < 3; n++) {
    await expect(verifier.verify(token)).rejects.toThrow(VerifierUnavailableError);
  }

  client.close();
  expect(asked).toEqual([ID, ID]);
});

test("the verifier of a client says why it can tell nothing, as of a wrong key", async () => {
  await using server = await startServer((router) => {
    router.rpc(SiteService.method.getSite, () => {
      throw refusal(Code.Unauthenticated, ErrorReason.CREDENTIAL_INVALID);
    });
  });
  const client = createSignetClient({ url: server.url, key: "sgn_site_wrong" });
  const verifier = client.tokenVerifier({ audience: "shop" });

  await expect(verifier.verify("a.b.c")).rejects.toThrow(/cannot be fetched: \[unauthenticated\]/);

  client.close();
});

test("the verifier of a client is not made without an audience", () => {
  const client = createSignetClient({ url: "http://127.0.0.1:1", key: "sgn_op_test" });

  expect(() => client.tokenVerifier({ audience: [] })).toThrow(TypeError);
});
