import { LIFETIME_RANGES } from "../model/site.ts";

const CLOCK_SKEW_MS = 60_000;

/**
 * How long a revocation is remembered: no access token that was made before it lives longer,
 * whatever the Site's settings were then.
 */
export const REVOCATION_MS = LIFETIME_RANGES.accessTokenSeconds.max * 1_000 + CLOCK_SKEW_MS;
