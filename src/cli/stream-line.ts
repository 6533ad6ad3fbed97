import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Change,
  ChangeKindSchema,
  ChangeSchema,
  SumsSchema,
} from "../../gen/signet/v1/change_pb.ts";
import { type User, UserSchema } from "../../gen/signet/v1/user_pb.ts";
import type { SubscriptionItem } from "../client/index.ts";
import { enumWords } from "./enum-words.ts";
import { toPrintable } from "./layout.ts";

/** What happened to a User, in words. */
export const CHANGE_KINDS = enumWords(ChangeKindSchema);

/** Writes what an item brings for people: a line for each User or Change, none for the rest. */
export function toPlainLines(item: SubscriptionItem): string[] {
  switch (item.type) {
    case "snapshot_page":
      return item.users.map((user) => plainLine("", "-", "user", user));
    case "changes":
      return item.changes.map(changeLine);
    case "site_deleted":
      return ["The Site was deleted, and all of its Users with it."];
    default:
      return [];
  }
}

/**
 * Writes an item for programs: one JSON object in a line, its messages in protobuf's JSON form.
 *
 * `type` says what it is. A line with a `cursor` can be resumed after; where an item is of
 * several lines that is the last.
 */
export function toJsonLines(item: SubscriptionItem): string[] {
  switch (item.type) {
    case "snapshot_page": {
      const users = item.users.map((user) => ({ type: "user", user: json(UserSchema, user) }));
      return withCursor(users, item.cursor);
    }
    case "changes": {
      const toLine = (change: Change) => ({ type: "change", change: json(ChangeSchema, change) });
      return withCursor(item.changes.map(toLine), item.cursor);
    }
    case "checkpoint": {
      const { serverTime, sums, ...rest } = item;
      const sumsJson = sums && json(SumsSchema, sums);
      return [toLine({ ...rest, sums: sumsJson, serverTime: toIso(serverTime) })];
    }
    case "hello": {
      const { serverTime, ...rest } = item;
      return [toLine({ ...rest, serverTime: toIso(serverTime) })];
    }
    case "snapshot_end":
    case "site_deleted":
      return [toLine(item)];
  }
}

function changeLine({ commitTime, position, kind, furtherKinds, user }: Change): string {
  const kinds = [kind, ...furtherKinds].map(CHANGE_KINDS.wordOf).join("+");
  const time = toIso(commitTime)?.slice(11, 23) ?? "";
  return plainLine(time, `#${position}`, kinds, user);
}

function plainLine(time: string, position: string, what: string, user: User | undefined): string {
  const name = user?.email || user?.username || "-";
  const columns = [time.padEnd(12), position.padEnd(8), what.padEnd(16), user?.id ?? "-", name];
  return toPrintable(columns.join("  "));
}

function json<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

function withCursor(lines: readonly object[], cursor: string): string[] {
  return lines.map((line, index) =>
    toLine(index === lines.length - 1 ? { ...line, cursor } : line),
  );
}

/** As in protobuf's JSON form, numbers of 64 bits are strings. */
function toLine(value: object): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === "bigint" ? field.toString() : field,
  );
}

function toIso(time: Timestamp | undefined): string | undefined {
  return time ? timestampDate(time).toISOString() : undefined;
}
