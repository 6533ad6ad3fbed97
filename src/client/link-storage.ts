/**
 * Where an app keeps its own users: the port that a database implements. `Transaction` is what
 * the app has open at a login, if anything.
 */
export interface LinkStorage<Transaction> {
  /** Tells which row is linked to the User; undefined: none. */
  findLinked(userId: string, transaction?: Transaction): Promise<string | undefined>;
  /**
   * Links the one row that the claim is about, or tells why not. Of calls for the same User, or
   * the same row, at the same time one links and the others see what it did. With a transaction
   * it takes effect when that is committed, otherwise at once.
   */
  link(claim: LinkClaim, transaction?: Transaction): Promise<LinkResult>;
}

/** Who a User is to the app, by what Signet has made sure of. */
export interface LinkClaim {
  readonly userId: string;
  /** The id of the app's row; undefined: not known. It goes before the address. */
  readonly rowId: string | undefined;
  /** The address, in lower case, which the User has proved to own; undefined: none. */
  readonly email: string | undefined;
}

/** What became of a claim. */
export type LinkResult =
  /** The row is linked, by this call. */
  | { readonly outcome: "linked"; readonly rowId: string }
  /** The row was linked before; nothing was written. */
  | { readonly outcome: "already_linked"; readonly rowId: string }
  /** No row is the User's. The app may insert one, in the same transaction. */
  | { readonly outcome: "no_row" }
  /** Several rows have the address; a person has to tell which one is meant. */
  | { readonly outcome: "ambiguous" }
  /** The row that would be the User's is linked to another User. */
  | { readonly outcome: "taken"; readonly rowId: string };
