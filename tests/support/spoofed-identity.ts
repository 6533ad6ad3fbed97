import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { HeaderAnswer, HeaderList } from "./header-call.ts";
import type { SeenRequest } from "./header-mirror.ts";

/** The headers by which an app behind a proxy learns who the User is. */
const IDENTITY_HEADERS = [
  "x-user-id",
  "x-user-email",
  "x-user-role",
  "x-site-id",
  "x-identity-token",
];

/** What an attacker claims. */
const CLAIM = "mallory";

const CLAIMED: HeaderList = IDENTITY_HEADERS.map((name) => [name, CLAIM] as const);

/** Identity headers as an attacker sends them: each way to say it, and a name for that way. */
export function spoofedHeaders(): { readonly way: string; readonly headers: HeaderList }[] {
  return [
    ...CASES.flatMap(([nameOfCase, toCase]) =>
      SEPARATORS.map(([nameOfSeparators, separators]) => ({
        way: `${nameOfCase}, ${nameOfSeparators}`,
        headers: IDENTITY_HEADERS.map(
          (name) => [toCase(separate(name, separators)), CLAIM] as const,
        ),
      })),
    ),
    { way: "twice", headers: [...CLAIMED, ...CLAIMED] },
    {
      way: "empty, and then not",
      headers: CLAIMED.flatMap(([name]) => [
        [name, ""],
        [name, CLAIM],
      ]),
    },
  ];
}

/**
 * The same, named as headers that concern one hop alone (RFC 9110 §7.6.1): a proxy that obeys drops
 * them on the way to the app, and what Signet has answered with them.
 */
export function connectionSpoofs(): { readonly way: string; readonly headers: HeaderList }[] {
  const list = IDENTITY_HEADERS.join(", ");
  return [
    { way: "named by Connection", headers: [...CLAIMED, ["Connection", `close, ${list}`]] },
    {
      way: "named by two Connection headers",
      headers: [...CLAIMED, ["Connection", "close"], ["Connection", list]],
    },
  ];
}

/** The same as trailers of a body. */
export const SPOOFED_TRAILERS: HeaderList = CLAIMED;

/**
 * Returns what an app may take for an identity, by names in lower case with hyphens: each header
 * and trailer that some gateway interface spells the same, such as CGI's `HTTP_X_USER_ID`. An empty
 * one says nothing.
 */
export function identityIn({ body }: HeaderAnswer): HeaderList {
  const { headers, trailers } = JSON.parse(body) as SeenRequest;
  const plain = [...headers, ...trailers].map(
    ([name, value]) => [name.toLowerCase().replace(/[^a-z0-9]/g, "-"), value] as const,
  );
  return plain.filter(([name, value]) => IDENTITY_HEADERS.includes(name) && value !== "").sort();
}

/** Sends a request to the letter, for lines that no client library would send. */
export async function sendLines(port: number, lines: readonly string[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.setTimeout(20_000, () => socket.destroy());
  await once(socket, "connect");
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return await text(socket).catch(() => "");
}

const CASES: readonly (readonly [string, (name: string) => string])[] = [
  ["as documented", (name) => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())],
  ["in lower case", (name) => name],
  ["in upper case", (name) => name.toUpperCase()],
];

const SEPARATORS: readonly (readonly [string, readonly [string, string]])[] = [
  ["hyphens", ["-", "-"]],
  ["underscores", ["_", "_"]],
  ["an underscore first", ["_", "-"]],
  ["an underscore last", ["-", "_"]],
  ["dots", [".", "."]],
  ["a dot first", [".", "-"]],
  ["a dot last", ["-", "."]],
];

function separate(name: string, [first, second]: readonly [string, string]): string {
  const [x = "", middle = "", last = ""] = name.split("-");
  return `${x}${first}${middle}${second}${last}`;
}
