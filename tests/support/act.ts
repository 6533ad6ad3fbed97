import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import type { Clients, SignedIn } from "./builders.ts";

/** Who acts. */
export interface Actors {
  readonly backend: Clients;
  readonly asUser: (accessToken: string) => Clients;
}

/** An act, and what it leaves: its kind, who did it, and a row that its transaction has written. */
export interface Act {
  readonly rpc: keyof typeof AuthService.method;
  readonly kinds: readonly string[];
  readonly actor: "backend" | "user";
  /** A table with the rows of the act, by `user_id`. */
  readonly beside: string;
  /** Does it, and returns whom it was done to. */
  readonly perform: (actors: Actors) => Promise<Pick<SignedIn, "userId">>;
}

/** The table of Users, as one of rows by `user_id`. */
export const USERS = "(select id as user_id, xmin from signet.users)";
