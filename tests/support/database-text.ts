import { Client } from "pg";

/** Reads every row of every table of a database, as a dump of it would have them. */
export async function databaseText(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ readonly name: string }>(
      `select c.oid::regclass::text as name from pg_class c
        where c.relkind in ('r', 'p')
          and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
    );
    const parts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ readonly row: string }>(
        `select t::text as row from ${name} t`,
      );
      parts.push(name, ...rows.map(({ row }) => row));
    }
    return parts.join("\n");
  } finally {
    await client.end();
  }
}

/**
 * Lists the forms in which a column may hold a secret as it is: as text, as the bytes of the text,
 * and as the bytes that it is an encoding of.
 */
export function formsOf(secret: string): string[] {
  // Not from the last underscore on: base64url has that too, perhaps before the last letter.
  const tail = secret.replace(/^(?:[a-z]+_)+/, "");
  const bytes = [
    Buffer.from(secret),
    Buffer.from(tail),
    Buffer.from(tail, "base64url").subarray(-32),
    ...(/^[A-Z2-7]+$/.test(secret) ? [fromBase32(secret)] : []),
  ];
  return [secret, ...bytes.map((each) => each.toString("hex"))];
}

/** RFC 4648 §6, without padding. */
function fromBase32(text: string): Buffer {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text].map((each) => alphabet.indexOf(each).toString(2).padStart(5, "0"));
  const octets = bits.join("").match(/.{8}/g) ?? [];
  return Buffer.from(octets.map((octet) => Number.parseInt(octet, 2)));
}
