import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { grpcClients, unique, uniqueEmail } from "./builders.ts";
import { encoded, importRows } from "./imports.ts";
import { fresh, type SecretsSignet } from "./secrets-signet.ts";
import { createPeople, createSecretSite, type SecretSite } from "./secrets-site.ts";
import { until } from "./waiting.ts";

const delivery = "DELIVERY_RETURN_TOKEN";

/** Takes every secret through every call that takes one, or gives one out. */
export async function playSecrets(signet: SecretsSignet): Promise<SecretSite> {
  const site = await createSecretSite(signet);
  const people = createPeople(signet, site);
  await playAccounts(signet, site, people);
  await playSessions(signet, site, people);
  await playSecondFactor(signet, site, people);
  await playWebhooks(signet, site);
  await playImports(signet, site);
  await playStrangers(signet, site);
  return site;
}

type People = ReturnType<typeof createPeople>;

/** Registration, invitation, reset, change of password and address. */
async function playAccounts(
  { vault, call, mailbox }: SecretsSignet,
  { key }: SecretSite,
  people: People,
): Promise<void> {
  const ada = await people.register("registration");
  const mailed = uniqueEmail();
  const password = vault.plant("the password of a registration by mail", fresh());
  await call("AuthService/Register", { email: mailed, password }, key);
  const token = await until(() => mailbox.tokens[0]);
  vault.plant("the token of a mailed link", token);
  await call("AuthService/VerifyEmail", { token, password }, key);

  const invited = await call("UserService/InviteUser", { email: uniqueEmail(), delivery }, key);
  const invitation = vault.plant("an invitation's token", tokenOf(invited));
  const chosen = vault.plant("the password of an invitation", fresh());
  await call("AuthService/AcceptInvitation", { token: invitation, password: chosen }, key);
  await call("AuthService/AcceptInvitation", { token: invitation, password: chosen }, key);

  const asked = { email: ada.email, delivery };
  const reset = await call("AuthService/RequestPasswordReset", asked, key);
  const resetToken = vault.plant("a reset's token", tokenOf(reset));
  const newPassword = vault.plant("the password of a reset", fresh());
  await call("AuthService/ResetPassword", { token: resetToken, newPassword }, key);
  const { accessToken } = await people.logIn("reset", ada.email, newPassword);

  const wrong = vault.plant("a wrong current password", fresh());
  const better = vault.plant("the password of a change", fresh());
  const change = { currentPassword: wrong, newPassword: better };
  await call("AuthService/ChangePassword", change, accessToken);
  await call(
    "AuthService/ChangePassword",
    { ...change, currentPassword: newPassword },
    accessToken,
  );

  const moved = { userId: ada.userId, newEmail: uniqueEmail(), delivery };
  const requested = await call("AuthService/RequestEmailChange", moved, key);
  const changeToken = vault.plant("the token of a change of address", tokenOf(requested));
  await call("AuthService/ConfirmEmailChange", { token: changeToken }, key);
}

/** Logins right and wrong, refresh and its replay, exchange, re-authentication, logout. */
async function playSessions(
  { vault, call }: SecretsSignet,
  { key }: SecretSite,
  people: People,
): Promise<void> {
  const eve = await people.register("a second registration");
  const guess = vault.plant("a wrong password at login", fresh());
  await call("AuthService/Login", { email: eve.email, password: guess }, key);
  const nobody = vault.plant("the password of nobody", fresh());
  await call("AuthService/Login", { email: uniqueEmail(), password: nobody }, key);
  const long = `${fresh()}${"x".repeat(300)}${vault.plant("a password that is too long", fresh())}`;
  await call("AuthService/Login", { email: eve.email, password: long }, key);
  const { accessToken, refreshToken } = await people.logIn("login", eve.email, eve.password);
  const first = await call("AuthService/RefreshToken", { refreshToken }, key);
  const renewed = first as unknown as { readonly tokens: Record<string, string> };
  const successor = vault.plant(
    "a successor of a refresh token",
    renewed.tokens.refreshToken ?? "",
  );
  vault.plant("a refreshed access token", renewed.tokens.accessToken ?? "");
  await call("AuthService/RefreshToken", { refreshToken: successor }, key);
  await call("AuthService/RefreshToken", { refreshToken }, key); // Replayed.
  const { accessToken: other } = await people.logIn("another login", eve.email, eve.password);
  const exchanged = await call("AuthService/ExchangeToken", { audience: "other" }, other);
  if (exchanged.accessToken) vault.plant("an exchanged token", exchanged.accessToken);
  const again = vault.plant("a wrong password at a re-authentication", fresh());
  await call("AuthService/Reauthenticate", { password: again }, other);
  const proof = await call("AuthService/Reauthenticate", { password: eve.password }, other);
  vault.plant("a token after a re-authentication", proof.accessToken ?? "");
  await call("AuthService/ValidateToken", { token: accessToken }, key);
  await call("AuthService/Logout", {}, other);
}

/** Enrolment, challenge, recovery codes used and unused. */
async function playSecondFactor(
  { vault, call }: SecretsSignet,
  { key, site }: SecretSite,
  people: People,
): Promise<void> {
  const factor = await people.enrol("a factor");
  const { email, password } = factor;
  const challenge = async (name: string) => {
    const { mfaChallenge } = await call("AuthService/Login", { email, password }, key);
    const { challengeToken } = mfaChallenge as unknown as Record<string, string>;
    return vault.plant(name, challengeToken ?? "");
  };
  const challengeToken = await challenge("a challenge's token");
  const [recoveryCode, unused] = factor.recoveryCodes;
  vault.plant("a recovery code that is used", recoveryCode ?? "");
  vault.plant("a recovery code that is not used", unused ?? "");
  const wrongCode = vault.plant("a recovery code that is none", randomBytes(10).toString("hex"));
  await call("AuthService/CompleteMfa", { challengeToken, recoveryCode: wrongCode }, key);
  await call("AuthService/CompleteMfa", { challengeToken, recoveryCode }, key);

  await site.backend.sites.updateSite({ mfaPolicy: 3 });
  const registered = await people.registerOnly("a registration without a factor");
  const bare = { email: registered.email, password: registered.password };
  const enrolment = await until(async () => {
    const answer = await call("AuthService/Login", bare, key);
    return (answer.mfaEnrollment as unknown as Record<string, string>)?.enrollmentToken;
  });
  const enrollmentToken = vault.plant("an enrolment's token", enrolment);
  const begun = await call("AuthService/EnrollTotp", { enrollmentToken }, key);
  vault.plant("the secret of a factor that is not confirmed", begun.secret ?? "");
  await call("AuthService/ConfirmTotp", { enrollmentToken, totpCode: "000000" }, key);
  await site.backend.sites.updateSite({ mfaPolicy: 2 });
}

/** A webhook that is told of changes, its secret before and after a rotation, a key in its URL. */
async function playWebhooks(
  { vault, call, receiver, service }: SecretsSignet,
  { siteId, key }: SecretSite,
): Promise<void> {
  const hook = { siteId, url: receiver.url };
  const made = await call("SyncService/CreateWebhook", hook, service.operatorKey);
  const secret = vault.plant("a webhook's secret", made.secret ?? "");
  receiver.secrets.push(secret);
  const { id = "" } = made.webhook as unknown as Record<string, string>;
  const rotated = await call(
    "SyncService/RotateWebhookSecret",
    { siteId, id },
    service.operatorKey,
  );
  receiver.secrets.push(vault.plant("a webhook's next secret", rotated.secret ?? ""));
  await call("UserService/CreateUser", { email: uniqueEmail() }, key);
  await until(() => receiver.requests.length > 0);
}

/** Hashes that are brought along, with the passwords and the keys that they were made with. */
async function playImports(
  { vault, call }: SecretsSignet,
  { key, site }: SecretSite,
): Promise<void> {
  const [salt, hash] = [randomBytes(16), randomBytes(32)];
  const write = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
  const argon2 = `$argon2id$v=19$m=19456,t=2,p=1$${write(salt)}$${write(hash)}`;
  const bcrypt = "./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const digits = Array.from(randomBytes(53), (byte) => bcrypt[byte % 64]).join("");
  const pbkdf2 = { digest: "sha256", iterations: 100_000, salt, hash: randomBytes(32) };
  vault.plant("an imported argon2 hash", write(hash));
  vault.plant("an imported bcrypt hash", digits);
  vault.plant("an imported PBKDF2 hash", pbkdf2.hash);
  const signerKey = randomBytes(64);
  vault.plant("the signer key of a Firebase project", signerKey);
  const firebase = { signerKey, saltSeparator: Buffer.from([0xbf]), rounds: 8, memCost: 14 };
  const [email] = [uniqueEmail()];
  const rows = [
    { email, passwordHash: encoded(argon2) },
    { email: uniqueEmail(), passwordHash: encoded(`$2b$10$${digits}`) },
    { email: uniqueEmail(), passwordHash: { scheme: { case: "pbkdf2", value: pbkdf2 } } } as const,
  ];
  await importRows(site.backend, rows);
  // Of no use without the key, which is in the vault.
  const ofUser = { salt: randomBytes(10), hash: randomBytes(64) };
  const fromFirebase = { scheme: { case: "firebaseScrypt", value: ofUser } } as const;
  await importRows(site.backend, [{ email: uniqueEmail(), passwordHash: fromFirebase }], {
    firebase,
  });
  const password = vault.plant("a wrong password at an imported hash", fresh());
  await call("AuthService/Login", { email, password }, key);
}

/** Whatever comes by headers, paths and bodies that nobody asked for. */
async function playStrangers(
  { vault, service, errors, call }: SecretsSignet,
  { key, peerKey }: SecretSite,
): Promise<void> {
  const post = "/signet.v1.UserService/GetUser";
  const plain = (name: string) => vault.plant(name, randomBytes(24).toString("base64url"));
  const send = async (path: string, headers: Record<string, string>, body = "") => {
    errors.push(await sendPlain(`${service.url}${path}`, headers, body));
  };
  const json = { "content-type": "application/json" };
  await send(post, { ...json, authorization: `Bearer ${plain("an unknown bearer token")}` }, "{}");
  await send(post, { ...json, authorization: `Basic ${plain("a Basic credential")}` }, "{}");
  await send(post, { ...json, "proxy-authorization": plain("a proxy's credential") }, "{}");
  await send(post, { ...json, cookie: `a=${plain("a cookie at an RPC")}` }, "{}");
  await send(post, { ...json, "x-api-key": plain("a key in a header of another system") }, "{}");
  await send("/forward-auth", { cookie: `session=${plain("a cookie at forward-auth")}` });
  await send("/forward-auth", { authorization: `Bearer ${plain("a token at forward-auth")}` });
  await send("/forward-auth", { "x-forwarded-uri": `/?token=${plain("a token in a URI")}` });
  await send(`/nowhere?token=${plain("a token in a query")}`, {});
  await send(`/reset/${plain("a token in a path")}`, {});
  await send(post, json, `{"userId": ${plain("a secret in broken JSON")}`);
  await send(post, json, `{"pageSize": "${plain("a secret of the wrong type")}"}`);
  await send(post, json, `{"${plain("a secret as the name of a field")}": 1`);
  const query = new URLSearchParams({ encoding: "json", message: `{"token":"${plain("a GET")}"}` });
  await send(`/signet.v1.AuthService/ValidateToken?${query}`, {});
  await playForged({ vault, call }, key);
  const password = vault.plant("a password asked for by a Peer", fresh());
  await call("SyncService/VerifyPeerLogin", { email: uniqueEmail(), password }, peerKey);
  await grpcClients(service.url, plain("an unknown key over gRPC"))
    .users.getUser({ userId: unique("x") })
    .catch((error: unknown) => errors.push(String(error)));
}

/** Tokens of the right form that nobody has given out. */
async function playForged(
  { vault, call }: Pick<SecretsSignet, "vault" | "call">,
  key: string,
): Promise<void> {
  const forged = (name: string, prefix: string) =>
    vault.plant(name, `${prefix}${randomBytes(48).toString("base64url")}`);
  const refreshToken = forged("a forged refresh token", "sgn_rt_");
  await call("AuthService/RefreshToken", { refreshToken }, key);
  await call("AuthService/VerifyEmail", { token: forged("a forged link", "sgn_ot_") }, key);
  const challengeToken = forged("a forged challenge", "sgn_ch_");
  await call("AuthService/CompleteMfa", { challengeToken, totpCode: "000000" }, key);
  await call("AuthService/ValidateToken", { token: forged("a forged access token", "a.b.") }, key);
  const cursor = forged("a forged cursor", "");
  await call("SyncService/ListChanges", { cursor }, key);
  const client = { deviceToken: forged("a device", "") };
  await call("AuthService/Login", { email: uniqueEmail(), client }, key);
}

function tokenOf(answer: Readonly<Record<string, unknown>>): string {
  return (answer.oneTimeToken as { readonly token?: string } | undefined)?.token ?? "";
}

async function sendPlain(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = request(url, { method: body === "" ? "GET" : "POST", headers }, (answer) => {
    const head = JSON.stringify(answer.headers);
    text(answer).then((told) => resolve(`${answer.statusCode} ${head} ${told}`), reject);
  });
  call.once("error", reject);
  call.end(body);
  return await promise;
}
