/**
 * Has browsers take an answer for what its type says, and for nothing else. Only gRPC does without:
 * browsers cannot speak it.
 */
export const NO_SNIFFING = { "x-content-type-options": "nosniff" } as const;
