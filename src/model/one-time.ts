/** What a one-time token is good for; one of another purpose never passes. */
export type OneTimePurpose =
  | "verify_email"
  | "reset_password"
  | "accept_invitation"
  | "change_email";
