import { type DescField, type DescMessage, type DescMethod, ScalarType } from "@bufbuild/protobuf";

/** What a field of a request names, or what it proves. */
export type Kind =
  | "site"
  | "user"
  | "email"
  | "username"
  | "externalId"
  | "session"
  | "apiKey"
  | "signingKey"
  | "mirror"
  | "webhook"
  | "delivery"
  | "accessToken"
  | "refreshToken"
  | "verifyToken"
  | "inviteToken"
  | "resetToken"
  | "changeToken"
  | "challengeToken"
  | "enrollmentToken"
  | "deviceToken"
  | "watchCursor"
  | "revocationCursor"
  | "pageToken"
  | "resumeToken";

/** A field that names something, by its path in the request: `filter.user_ids[]`. */
export interface IdField {
  readonly path: string;
  readonly kind: Kind;
}

/** By the last part of the path; where that says too little, by method and path. */
const KINDS: Readonly<Record<string, Kind>> = {
  site_id: "site",
  user_id: "user",
  "user_ids[]": "user",
  actor_id: "user",
  subject_id: "user",
  email: "email",
  new_email: "email",
  email_prefix: "email",
  username: "username",
  username_prefix: "username",
  external_id: "externalId",
  session_id: "session",
  api_key_id: "apiKey",
  current_key_id: "signingKey",
  webhook_id: "webhook",
  delivery_id: "delivery",
  refresh_token: "refreshToken",
  challenge_token: "challengeToken",
  enrollment_token: "enrollmentToken",
  device_token: "deviceToken",
  page_token: "pageToken",
  resume_token: "resumeToken",
  "VerifyEmail token": "verifyToken",
  "CheckOneTimeToken token": "verifyToken",
  "AcceptInvitation token": "inviteToken",
  "ResetPassword token": "resetToken",
  "ConfirmEmailChange token": "changeToken",
  "ValidateToken token": "accessToken",
  "Register id": "user",
  "CreateUser id": "user",
  "InviteUser id": "user",
  "LookupUser user.id": "user",
  "ImportUsers rows[].id": "user",
  "CreateSite id": "site",
  "CreateApiKey id": "apiKey",
  "ReportMirror id": "mirror",
  "DeleteMirror id": "mirror",
  "WatchUsers cursor": "watchCursor",
  "ListChanges cursor": "watchCursor",
  "WatchRevocations cursor": "revocationCursor",
  "ListRevocations cursor": "revocationCursor",
  "CreateWebhook id": "webhook",
  "UpdateWebhook id": "webhook",
  "RotateWebhookSecret id": "webhook",
  "DeleteWebhook id": "webhook",
  "SendTestWebhook id": "webhook",
};

/**
 * Names of fields that name nothing of a Site: secrets that are worth nothing by themselves, texts
 * for people, and addresses of pages. A domain is public: GetSiteByDomain tells anyone whose it is.
 */
const PLAIN = new Set(
  `password new_password current_password totp_code recovery_code display_name picture_url locale
   redirect_url ip user_agent audience audiences[] client_id name name_prefix domain domains[]
   frontend_url verify_email_url reset_password_url accept_invitation_url
   confirm_email_change_url accent_color
   redirect_urls[] origins[] address default_audience label user_fields[] roles[] role
   kinds[] source encoded digest url software subject opening button closing`.split(/\s+/),
);

/** The fields of a method's request that name something, and the texts that nobody has sorted. */
export function idFieldsOf(method: DescMethod): {
  readonly ids: readonly IdField[];
  readonly unsorted: readonly string[];
} {
  const ids: IdField[] = [];
  const unsorted: string[] = [];
  for (const path of textPaths(method.input)) {
    const last = path.split(".").at(-1) ?? "";
    const kind = KINDS[`${method.name} ${path}`] ?? KINDS[last];
    if (kind) ids.push({ path, kind });
    else if (!PLAIN.has(last)) unsorted.push(path);
  }
  return { ids, unsorted };
}

function textPaths(message: DescMessage, before = ""): string[] {
  return message.fields.flatMap((field) => {
    const path = `${before}${field.name}${field.fieldKind === "list" ? "[]" : ""}`;
    const inner = innerMessage(field);
    // Well-known types are times and attributes.
    if (inner) return inner.typeName.startsWith("google.") ? [] : textPaths(inner, `${path}.`);
    return isText(field) ? [path] : [];
  });
}

function innerMessage(field: DescField): DescMessage | undefined {
  return field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
}

function isText(field: DescField): boolean {
  const isScalar = field.fieldKind === "scalar" || field.fieldKind === "list";
  return isScalar && field.scalar === ScalarType.STRING;
}

/** A request as JSON. */
export type Json = { readonly [name: string]: unknown };

/** Returns the request with one field set; the others of its `oneof` go. */
export function withField(method: DescMethod, request: Json, path: string, value: string): Json {
  return put(method.input, request, path.split("."), value);
}

function put(message: DescMessage, given: Json, path: readonly string[], value: string): Json {
  const [step = "", ...rest] = path;
  const name = step.replace("[]", "");
  const field = message.fields.find((one) => one.name === name);
  if (!field) throw new Error(`${message.typeName} has no ${name}`);
  const siblings = field.oneof?.fields.map((one) => one.name) ?? [];
  const kept = Object.fromEntries(Object.entries(given).filter(([key]) => !siblings.includes(key)));
  const inner = innerMessage(field);
  const [old] = Array.isArray(given[name]) ? given[name] : [given[name]];
  const filled = inner && rest.length > 0 ? put(inner, { ...old }, rest, value) : value;
  return { ...kept, [name]: step.endsWith("[]") ? [filled] : filled };
}
