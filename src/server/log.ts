import type { Logger } from "pino";

/** What the server needs of a logger. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;
