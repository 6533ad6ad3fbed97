import { uniqueEmail } from "./builders.ts";
import type { Json } from "./isolation-fields.ts";

/** What requests of a Site's own name. */
export interface OwnNames {
  readonly userId: string;
  readonly email: string;
  readonly password: string;
  readonly siteId: string;
  /** A webhook, and a delivery of it. */
  readonly webhookId?: string;
  readonly deliveryId?: string;
  readonly recoveryCode?: string | undefined;
}

const PASSWORD = "seven brisk herons wade";
const CODE = { recovery_code: "0000-0000-0000-0000" };
const REPORT = { name: "shop", state: "MIRROR_STATE_LIVE", epoch: 1 };
const TEMPLATE = {
  kind: 1,
  locale: "en",
  subject: "Hello",
  opening: "Welcome.",
  button: "Go on",
  closing: "Bye.",
};
const ID = "0198f1a0-0000-7000-8000-000000000000";
const WEBHOOK = { id: ID, url: "https://hooks.example.com/a" };

/**
 * A request of each method that would be carried out, but for the field that a test then sets: the
 * field is what the answer depends on.
 */
export const REQUESTS: Readonly<Record<string, (own: OwnNames) => Json>> = {
  Register: () => ({ email: uniqueEmail(), password: PASSWORD }),
  AcceptInvitation: () => ({ token: "sgn_ot_none", password: PASSWORD }),
  VerifyEmail: () => ({ token: "sgn_ot_none", password: PASSWORD }),
  ResendVerification: ({ email }) => ({ email }),
  CheckOneTimeToken: () => ({ token: "sgn_ot_none" }),
  Login: ({ email, password }) => ({ email, password }),
  CompleteMfa: () => ({ challenge_token: "sgn_ch_none", ...CODE }),
  Reauthenticate: ({ password }) => ({ password }),
  RefreshToken: () => ({ refresh_token: "sgn_rt_none" }),
  Logout: () => ({ refresh_token: "sgn_rt_none" }),
  ValidateToken: () => ({ token: "x.y.z" }),
  ExchangeToken: () => ({ audience: "other" }),
  ListSessions: ({ userId }) => ({ user_id: userId }),
  RevokeSession: () => ({ session_id: ID }),
  RevokeAllSessions: ({ userId }) => ({ user_id: userId }),
  RequestPasswordReset: ({ email }) => ({ email }),
  ResetPassword: () => ({ token: "sgn_ot_none", new_password: PASSWORD }),
  // Too short: one that is changed would end the tokens of the caller.
  ChangePassword: ({ password }) => ({ current_password: password, new_password: "x" }),
  RequestEmailChange: ({ userId }) => ({ user_id: userId, new_email: uniqueEmail() }),
  ConfirmEmailChange: () => ({ token: "sgn_ot_none" }),
  EnrollTotp: () => ({}),
  ConfirmTotp: () => ({ totp_code: "000000" }),
  DisableTotp: () => ({}),
  RegenerateRecoveryCodes: () => ({}),
  CreateSite: () => ({ name: "Other", domains: [], frontend_url: "https://other.example.com" }),
  GetSite: () => ({}),
  GetSiteByDomain: () => ({ domain: "nobody.example.com" }),
  ListSites: () => ({}),
  UpdateSite: () => ({ name: "Renamed" }),
  DeleteSite: () => ({}),
  CreateApiKey: () => ({ label: "made", scopes: ["SCOPE_USERS_READ"] }),
  ListApiKeys: () => ({}),
  RevokeApiKey: () => ({ api_key_id: ID }),
  RotateSigningKey: () => ({}),
  CreateUser: () => ({ email: uniqueEmail() }),
  InviteUser: () => ({ email: uniqueEmail() }),
  GetUser: ({ userId }) => ({ user_id: userId }),
  LookupUser: ({ userId }) => ({ user: { id: userId } }),
  BatchGetUsers: ({ userId }) => ({ user_ids: [userId] }),
  ListUsers: () => ({}),
  CountUsers: () => ({}),
  UpdateUser: ({ userId }) => ({ user_id: userId, display_name: "Renamed" }),
  DisableUser: ({ userId }) => ({ user_id: userId }),
  EnableUser: ({ userId }) => ({ user_id: userId }),
  UnlockUser: ({ userId }) => ({ user_id: userId }),
  ResetMfa: ({ userId }) => ({ user_id: userId }),
  DeleteUser: ({ userId }) => ({ user_id: userId }),
  ImportUsers: () => ({ options: { source: "old" }, rows: [{ row: 1, email: uniqueEmail() }] }),
  ExportUsers: () => ({}),
  ListAuditEvents: () => ({}),
  WatchUsers: () => ({ start: "WATCH_START_SNAPSHOT" }),
  ListChanges: () => ({ start: "WATCH_START_SNAPSHOT" }),
  WatchRevocations: () => ({}),
  ListRevocations: () => ({}),
  CompareDigests: () => ({ leaves: [...Array(1_024).keys()] }),
  ReportMirror: () => ({ id: crypto.randomUUID(), ...REPORT }),
  ListMirrors: () => ({}),
  DeleteMirror: () => ({ id: ID }),
  GetSyncHealth: () => ({}),
  SetMailTemplate: () => ({ template: TEMPLATE }),
  ListMailTemplates: () => ({}),
  DeleteMailTemplate: () => ({ kind: TEMPLATE.kind, locale: TEMPLATE.locale }),
  RetryMails: () => ({}),
  CreateWebhook: () => WEBHOOK,
  ListWebhooks: () => ({}),
  UpdateWebhook: () => WEBHOOK,
  RotateWebhookSecret: () => ({ id: ID }),
  DeleteWebhook: () => ({ id: ID }),
  SendTestWebhook: () => ({ id: ID }),
  ListWebhookDeliveries: ({ webhookId = ID }) => ({ webhook_id: webhookId }),
  RedeliverWebhook: ({ webhookId = ID, deliveryId = ID }) => {
    return { webhook_id: webhookId, delivery_id: deliveryId };
  },
  ListPeers: () => ({}),
  TestPeer: () => ({ name: "peer" }),
  CheckPeer: () => ({}),
  VerifyPeerLogin: ({ email, password }) => ({ email, password }),
  CompletePeerMfa: ({ recoveryCode }) => {
    return {
      challenge_token: "sgn_ch_none",
      ...CODE,
      ...(recoveryCode && { recovery_code: recoveryCode }),
    };
  },
};
