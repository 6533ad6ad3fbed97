/** A value that JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** An object that JSON can hold. */
export type JsonObject = { readonly [name: string]: JsonValue };
