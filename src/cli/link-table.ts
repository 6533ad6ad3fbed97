import { type AppIdType, readAppIdType } from "../client/link-id-type.ts";
import { type AppTableName, quoteName, readAppTableName } from "../client/link-names.ts";
import { UsageError } from "./context.ts";
import type { LinkDatabase } from "./link-database.ts";
import { readGivenName } from "./link-naming.ts";
import type { CompleteMapping } from "./link-options.ts";

/** A table of an app, as it was found, with what statements need of it. */
export interface LinkTable {
  readonly name: AppTableName;
  /** The id column, quoted. */
  readonly id: string;
  readonly idType: AppIdType;
  /** The column that holds the User's id, quoted. */
  readonly link: string;
  readonly linkColumn: string;
  /** Whether that column is there. */
  readonly hasLink: boolean;
  /** Selects what of a row goes to Signet, all of it as text or boolean. */
  readonly fields: string;
  /** The address in the form in which two are compared; `null` where none is kept. */
  readonly addressKey: string;
  /** The same of the username. */
  readonly usernameKey: string;
  /** Whether an account is disabled. */
  readonly disabled: string;
}

type Types = ReadonlyMap<string, string>;

/**
 * Looks at the table and at its columns.
 *
 * @throws {UsageError} where the table or a column is missing, or cannot be linked.
 */
export async function inspectTable(db: LinkDatabase, mapping: CompleteMapping): Promise<LinkTable> {
  const name = readGivenName(() => readAppTableName(mapping.table));
  await requirePlainTable(db, name);
  const types = await readTypes(db, name);
  const { idColumn, linkColumn } = mapping;
  const linkType = types.get(linkColumn);
  if (linkType !== undefined && linkType !== "uuid") {
    throw new UsageError(`${linkColumn} must be of type uuid, and is ${linkType}`);
  }
  const idTypeName = requireType(name, types, idColumn);
  const idType = readGivenName(() => readAppIdType(idColumn, idTypeName));
  await requireUnique(db, name, idColumn);
  return {
    name,
    idType,
    id: quoteName(idColumn),
    link: readGivenName(() => quoteName(linkColumn)),
    linkColumn,
    hasLink: linkType !== undefined,
    ...fieldsOf(name, types, mapping),
  };
}

async function requirePlainTable(db: LinkDatabase, { quoted }: AppTableName): Promise<void> {
  const { rows } = await db.query<{ kind: string }>(
    "select relkind as kind from pg_class where oid = to_regclass($1)",
    [quoted],
  );
  if (!rows[0]) throw new UsageError(`there is no table ${quoted}`);
  // A partitioned one takes no index concurrently, and the others no column at all.
  if (rows[0].kind !== "r") throw new UsageError(`${quoted} is no plain table`);
}

async function readTypes(db: LinkDatabase, { quoted }: AppTableName): Promise<Types> {
  const { rows } = await db.query<{ name: string; type: string }>(
    `select attname::text as name, format_type(atttypid, null) as type from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [quoted],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

/** What names a row has to name one. */
async function requireUnique(
  db: LinkDatabase,
  { quoted }: AppTableName,
  idColumn: string,
): Promise<void> {
  const { rows } = await db.query(
    `select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
      where indrelid = $1::regclass and attname = $2 and attnotnull
        and indisunique and indisvalid and indpred is null and indnkeyatts = 1`,
    [quoted, idColumn],
  );
  if (rows.length > 0) return;
  throw new UsageError(`${idColumn} must be not null, with a unique index of its own`);
}

function fieldsOf(
  name: AppTableName,
  types: Types,
  mapping: CompleteMapping,
): Pick<LinkTable, "fields" | "addressKey" | "usernameKey" | "disabled"> {
  const { idColumn, externalIdColumn = idColumn, usernameColumn, hashColumn, nameColumn } = mapping;
  const { verifiedColumn, disabledColumn, activeColumn, emailsVerified } = mapping;
  const emailColumn = mapping.emailColumn ?? (types.has("email") ? "email" : undefined);
  const text = (column: string | undefined) => textOf(name, types, column);
  const isSet = (column: string) => truthOf(column, requireType(name, types, column));
  const email = text(emailColumn);
  const verified = verifiedColumn ? isSet(verifiedColumn) : String(emailsVerified);
  const disabled = disabledColumn
    ? isSet(disabledColumn)
    : activeColumn
      ? `not ${isSet(activeColumn)}`
      : "false";
  return {
    addressKey: `nullif(lower(btrim(${email})), '')`,
    usernameKey: `nullif(lower(btrim(${text(usernameColumn)})), '')`,
    disabled,
    fields: [
      `${text(idColumn)} as "rowId"`,
      `nullif(btrim(${email}), '') as email`,
      `${verified} as "emailVerified"`,
      `nullif(btrim(${text(usernameColumn)}), '') as username`,
      `nullif(btrim(${text(hashColumn)}), '') as hash`,
      `nullif(btrim(${text(nameColumn)}), '') as "displayName"`,
      `nullif(${text(externalIdColumn)}, '') as "externalId"`,
      `${disabled} as disabled`,
    ].join(", "),
  };
}

function textOf(name: AppTableName, types: Types, column: string | undefined): string {
  if (column === undefined) return "null::text";
  const type = requireType(name, types, column);
  // A hash is ASCII even where it is kept as bytes.
  return type === "bytea" ? `encode(${quoteName(column)}, 'escape')` : `${quoteName(column)}::text`;
}

/** A boolean says it itself; of a time it is enough that there is one. */
function truthOf(column: string, type: string): string {
  const quoted = quoteName(column);
  return type === "boolean" ? `coalesce(${quoted}, false)` : `(${quoted} is not null)`;
}

function requireType(name: AppTableName, types: Types, column: string): string {
  const type = types.get(column);
  if (type !== undefined) return type;
  throw new UsageError(`${name.quoted} has no column ${column}`);
}
