import {
  AuditActorKindSchema,
  type AuditEvent,
  type ListAuditEventsResponse,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { VerifyReport } from "./audit-chain.ts";
import { enumWords } from "./enum-words.ts";
import { layOutFields, layOutTable, withMore } from "./layout.ts";
import { timeText } from "./values.ts";

const ACTORS = enumWords(AuditActorKindSchema);

/** Lays out a table of events. */
export function layOutEvents({ events, nextPageToken }: ListAuditEventsResponse): string {
  if (events.length === 0) return "There are no events.";
  const table = layOutTable(
    ["number", "time", "kind", "by", "to", "facts"],
    events.map((event) => [
      event.link ? String(event.link.sequence) : undefined,
      timeText(event.time),
      event.kind,
      [event.actor && ACTORS.wordOf(event.actor.kind), event.actor?.id].filter(Boolean).join(" "),
      [event.subject?.kind, event.subject?.id].filter(Boolean).join(" "),
      factsText(event),
    ]),
  );
  return withMore(table, nextPageToken);
}

/** Lays out what came of a check of a chain. */
export function layOutVerifyReport(report: VerifyReport): string {
  const { from, until, head, erased, broken, expectedHead } = report;
  return layOutFields([
    ["Chain", broken ? "broken" : "whole"],
    ["Checked", until < from ? "no events" : `events ${from} to ${until}`],
    ["Erased", erased > 0 ? `clear values of ${erased}, whose User is deleted` : undefined],
    ["Broken at", broken && `event ${broken.sequence}: it ${broken.problem}`],
    ["Event", broken?.eventId],
    ["Head", head],
    ["Expected head", expectedHead && headText(expectedHead)],
  ]);
}

function headText({ sequence }: NonNullable<VerifyReport["expectedHead"]>): string {
  return sequence === undefined ? "not in the chain" : `is event ${sequence}`;
}

function factsText({ facts, personal }: AuditEvent): string {
  return Object.entries({ ...facts, ...personal })
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
