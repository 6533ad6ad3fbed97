import { createGrpcTransport } from "@connectrpc/connect-node";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { codeAt } from "./authenticator.ts";
import { createKey, grpcClients, openSite, type TestSite, uniqueEmail } from "./builders.ts";
import { fresh, type SecretsSignet } from "./secrets-signet.ts";

/** A Site whose keys are in the vault. */
export interface SecretSite {
  readonly siteId: string;
  readonly key: string;
  readonly peerKey: string;
  readonly site: TestSite;
}

/** Opens the Site, with every kind of key; one of them is revoked. */
export async function createSecretSite({
  service,
  vault,
  call,
}: SecretsSignet): Promise<SecretSite> {
  const { url, operatorKey } = service;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const { siteId, key } = site;
  const operator = grpcClients(url, operatorKey);
  vault.plant("a site key", key);
  const peerKey = vault.plant(
    "a key for Peers",
    await createKey(operator, siteId, { scopes: [Scope.PEER] }),
  );
  const made = await call(
    "SiteService/CreateApiKey",
    { operator: true, label: "second" },
    operatorKey,
  );
  vault.plant("a second operator key", made.secret ?? "");
  const { apiKey, secret } = await operator.sites.createApiKey({
    siteId,
    label: "revoked",
    scopes: [Scope.USERS_READ],
  });
  await operator.sites.revokeApiKey({ siteId, apiKeyId: apiKey?.id ?? "" });
  await call("UserService/ListUsers", {}, vault.plant("a revoked site key", secret));
  return { siteId, key, peerKey, site };
}

interface Person {
  readonly email: string;
  readonly password: string;
}

/** Makes Users whose passwords and tokens are in the vault. */
export function createPeople({ vault, call }: SecretsSignet, { key }: SecretSite) {
  async function registerOnly(name: string): Promise<Person & { readonly userId: string }> {
    const person = {
      email: uniqueEmail(),
      password: vault.plant(`the password of ${name}`, fresh()),
    };
    const asked = { ...person, delivery: "DELIVERY_RETURN_TOKEN" };
    const { userId = "", oneTimeToken } = await call("AuthService/Register", asked, key);
    const { token = "" } = oneTimeToken as unknown as Record<string, string>;
    vault.plant(`the link of ${name}`, token);
    await call("AuthService/VerifyEmail", { token }, key);
    return { ...person, userId };
  }

  async function logIn(name: string, email: string, password: string) {
    const { session } = await call("AuthService/Login", { email, password }, key);
    const { tokens, deviceToken = "" } = session as unknown as {
      readonly tokens: Readonly<Record<string, string>>;
      readonly deviceToken: string;
    };
    vault.plant(`the device token of ${name}`, deviceToken);
    return {
      accessToken: vault.plant(`the access token of ${name}`, tokens.accessToken ?? ""),
      refreshToken: vault.plant(`the refresh token of ${name}`, tokens.refreshToken ?? ""),
    };
  }

  return {
    registerOnly,
    logIn,
    async register(name: string) {
      const person = await registerOnly(name);
      return { ...person, ...(await logIn(name, person.email, person.password)) };
    },
    async enrol(name: string) {
      const person = await registerOnly(name);
      const { accessToken } = await logIn(name, person.email, person.password);
      const { secret = "" } = await call("AuthService/EnrollTotp", {}, accessToken);
      vault.plant(`the secret of ${name}`, secret);
      const totpCode = codeAt(secret);
      const { recoveryCodes } = await call("AuthService/ConfirmTotp", { totpCode }, accessToken);
      return { ...person, recoveryCodes: recoveryCodes as unknown as readonly string[] };
    },
  };
}
