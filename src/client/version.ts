/** The version of the package, which has no other way to know: an app may bundle it. */
export const VERSION = "0.1.0";
