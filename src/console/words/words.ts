import type { en } from "./en.ts";

/** A dictionary: texts under the keys that English has, and under no others. */
export type Words = Texts<typeof en>;

type Texts<T> = { readonly [K in keyof T]: T[K] extends string ? string : Texts<T[K]> };
