import type { Client } from "@connectrpc/connect";
import { type AuthService, OneTimePurpose } from "../../../gen/signet/v1/auth_service_pb.ts";

/** The calls that pages make. */
export type Auth = Client<typeof AuthService>;

/** The last part of a page's path. */
export type PagePath =
  | "verify-email"
  | "reset-password"
  | "accept-invitation"
  | "confirm-email-change";

/** The pages where anybody may ask for a new link. */
export type AskPath = Extract<PagePath, "verify-email" | "reset-password">;

/** What a person has sent with a token. */
export interface ActRequest {
  readonly siteId: string;
  readonly token: string;
  readonly password: string;
  readonly username: string;
}

/** One kind of link: what its page does. */
export interface PageKind {
  readonly path: PagePath;
  readonly purpose: OneTimePurpose;
  readonly takesUsername: boolean;
  /** Uses the token, and tells where to send the person on to. */
  readonly act: (auth: Auth, request: ActRequest) => Promise<{ readonly redirectUrl: string }>;
}

/** The kinds of links in mails. */
export const KINDS: readonly PageKind[] = [
  {
    path: "verify-email",
    purpose: OneTimePurpose.VERIFY_EMAIL,
    takesUsername: false,
    act: (auth, { siteId, token, password }) => auth.verifyEmail({ siteId, token, password }),
  },
  {
    path: "reset-password",
    purpose: OneTimePurpose.RESET_PASSWORD,
    takesUsername: false,
    act: (auth, { siteId, token, password: newPassword }) =>
      auth.resetPassword({ siteId, token, newPassword }),
  },
  {
    path: "accept-invitation",
    purpose: OneTimePurpose.ACCEPT_INVITATION,
    takesUsername: true,
    act: (auth, { siteId, token, password, username }) =>
      auth.acceptInvitation({ siteId, token, password, username }),
  },
  {
    path: "confirm-email-change",
    purpose: OneTimePurpose.CONFIRM_EMAIL_CHANGE,
    takesUsername: false,
    act: (auth, { siteId, token }) => auth.confirmEmailChange({ siteId, token }),
  },
];

/** Sends another link, if there is somebody to send it to; the answer does not tell. */
export const ASKS: Readonly<
  Record<AskPath, (auth: Auth, request: { siteId: string; email: string }) => Promise<unknown>>
> = {
  "verify-email": (auth, request) => auth.resendVerification(request),
  "reset-password": (auth, { siteId, email: value }) =>
    auth.requestPasswordReset({ siteId, identifier: { case: "email", value } }),
};

/** Tells whether anybody may ask for a new link on a page. */
export function isAskPath(path: PagePath): path is AskPath {
  return path in ASKS;
}
