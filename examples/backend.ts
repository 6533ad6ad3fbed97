import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import {
  createSignetClient,
  ErrorReason,
  errorDetailOf,
  InvalidTokenError,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const verifier = signet.tokenVerifier({ audience: "shop" });

/** What a page of the app sends. */
type Form = Readonly<Record<string, string>>;
/** The device it was sent from, for Signet's limits and its list of Sessions. */
type Device = { readonly ip: string; readonly userAgent: string; readonly deviceToken: string };

async function register({ email = "", password = "" }: Form, client: Device) {
  await signet.auth.register({ email, password, client });
  return { next: "read your mail" };
}

async function verifyEmail({ token = "" }: Form, client: Device) {
  const { redirectUrl } = await signet.auth.verifyEmail({ token, client });
  return { next: "sign in", redirectUrl };
}

async function signIn({ email = "", password = "" }: Form, client: Device) {
  const identifier = { case: "email", value: email } as const;
  const audiences = ["shop"];
  const { result } = await signet.auth.login({ identifier, password, audiences, client });
  switch (result.case) {
    case "session":
      return { next: "welcome", ...started(result.value) };
    case "mfaChallenge":
      return { next: "enter a code", challengeToken: result.value.challengeToken };
    case "mfaEnrollment":
      return { next: "enrol", enrollmentToken: result.value.enrollmentToken };
    default:
      throw new Error("this app is older than the answer");
  }
}

type Started = Extract<
  Awaited<ReturnType<typeof signet.auth.login>>["result"],
  { case: "session" }
>["value"];

function started({ tokens, deviceToken }: Started) {
  return { accessToken: tokens?.accessToken, refreshToken: tokens?.refreshToken, deviceToken };
}

async function whoIs({ accessToken = "" }: Form) {
  const { userId, roles } = await verifier.verify(accessToken);
  return { userId, roles };
}

async function refresh({ refreshToken = "" }: Form, client: Device) {
  const { tokens } = await signet.auth.refreshToken({ refreshToken, client });
  return { accessToken: tokens?.accessToken, refreshToken: tokens?.refreshToken };
}

async function signOut({ refreshToken = "" }: Form) {
  await signet.auth.logout({ refreshToken });
  return { next: "sign in" };
}

async function forgotPassword({ email = "" }: Form, client: Device) {
  const identifier = { case: "email", value: email } as const;
  await signet.auth.requestPasswordReset({ identifier, client });
  return { next: "read your mail" };
}

async function resetPassword({ token = "", newPassword = "" }: Form, client: Device) {
  const { redirectUrl } = await signet.auth.resetPassword({ token, newPassword, client });
  return { next: "sign in", redirectUrl };
}

async function enterCode({ challengeToken = "", totpCode = "" }: Form, client: Device) {
  const code = { case: "totpCode", value: totpCode } as const;
  const { session } = await signet.auth.completeMfa({ challengeToken, code, client });
  return { next: "welcome", ...(session && started(session)) };
}

async function recover({ challengeToken = "", recoveryCode = "" }: Form, client: Device) {
  const code = { case: "recoveryCode", value: recoveryCode } as const;
  const answer = await signet.auth.completeMfa({ challengeToken, code, client });
  const { session, recoveryCodesLeft } = answer;
  return { next: "welcome", recoveryCodesLeft, ...(session && started(session)) };
}

async function enrol({ accessToken = "" }: Form) {
  const { secret, otpauthUri } = await signet.auth.enrollTotp({}, as(accessToken));
  return { secret, otpauthUri };
}

async function confirmEnrolment({ accessToken = "", totpCode = "" }: Form) {
  const answer = await signet.auth.confirmTotp({ totpCode }, as(accessToken));
  const { session, recoveryCodes } = answer;
  return { recoveryCodes, ...(session && started(session)) };
}

async function proveAgain({ accessToken = "", password = "", totpCode = "" }: Form) {
  const code = totpCode ? ({ case: "totpCode", value: totpCode } as const) : undefined;
  const proof = { password, ...(code && { code }) };
  const answer = await signet.auth.reauthenticate(proof, as(accessToken));
  return { accessToken: answer.accessToken };
}

/** Calls in the name of the User, in place of the app's own key. */
function as(accessToken: string) {
  return { headers: { authorization: `Bearer ${accessToken}` } };
}

/** What the app makes of a refusal; of all others it can only say that something is wrong. */
const refusals: { readonly [reason in ErrorReason]?: readonly [number, string] } = {
  [ErrorReason.LOGIN_FAILED]: [401, "wrong address, password or code"],
  [ErrorReason.EMAIL_UNVERIFIED]: [403, "read your mail first"],
  [ErrorReason.REFRESH_TOKEN_INVALID]: [401, "sign in again"],
  [ErrorReason.RECENT_LOGIN_REQUIRED]: [403, "enter your password once more"],
  [ErrorReason.ONE_TIME_TOKEN_INVALID]: [410, "this link is no longer good"],
  [ErrorReason.PASSWORD_REJECTED]: [422, "choose another password"],
  [ErrorReason.INVALID_FIELD]: [422, "something is missing"],
  [ErrorReason.RATE_LIMITED]: [429, "try again later"],
  [ErrorReason.OVERLOADED]: [503, "try again at once"],
};

function refusal(error: unknown) {
  if (error instanceof InvalidTokenError) return { status: 401, answer: { error: error.problem } };
  const detail = errorDetailOf(error);
  const known = detail && refusals[detail.reason];
  // Such as a wrong key: whoever runs the app has to know.
  if (!known) console.error(String(error));
  const [status, text] = known ?? [500, "something went wrong"];
  return { status, answer: { error: text, ...detail?.metadata } };
}

const pages: Readonly<Record<string, (form: Form, client: Device) => Promise<object>>> = {
  "/register": register,
  "/verify-email": verifyEmail,
  "/sign-in": signIn,
  "/who-is": whoIs,
  "/refresh": refresh,
  "/sign-out": signOut,
  "/forgot-password": forgotPassword,
  "/reset-password": resetPassword,
  "/enter-code": enterCode,
  "/recover": recover,
  "/enrol": enrol,
  "/confirm-enrolment": confirmEnrolment,
  "/prove-again": proveAgain,
};

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const page = pages[request.url ?? ""];
  const { "user-agent": userAgent = "" } = request.headers;
  const device = { ip: request.socket.remoteAddress ?? "", userAgent };
  try {
    const form = (await json(request)) as Form;
    const { deviceToken = "" } = form;
    const answer = await page?.(form, { ...device, deviceToken });
    response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer ?? {}));
  } catch (error) {
    const { status, answer } = refusal(error);
    response.writeHead(status).end(JSON.stringify(answer));
  }
}

const server = createServer((request, response) => void respond(request, response));
server.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close();
    signet.close();
  });
}
