import type { Task } from "graphile-worker";
import { traced } from "../model/tracing.ts";
import type { WorkCounts } from "./work-counts.ts";

/** Has the jobs of these tasks counted, and shown in traces. */
export function countedTasks(
  { jobs }: Pick<WorkCounts, "jobs">,
  tasks: Readonly<Record<string, Task>>,
): Record<string, Task> {
  const counted =
    (name: string, task: Task): Task =>
    async (payload, helpers) => {
      try {
        const attributes = {
          "messaging.system": "graphile_worker",
          "messaging.operation.type": "process",
          "messaging.destination.name": name,
        };
        const causedBy = causeOf(payload);
        const work = { name: `process ${name}`, kind: "consumer", attributes, causedBy } as const;
        await traced(work, async () => await task(payload, helpers));
        jobs.add("succeeded");
      } catch (error) {
        jobs.add("failed");
        throw error;
      }
    };
  return Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => [name, counted(name, task)]),
  );
}

/** The call that has queued the job may have been traced. */
function causeOf(payload: unknown): string | undefined {
  const { traceparent } = Object(payload) as { readonly traceparent?: unknown };
  return typeof traceparent === "string" ? traceparent : undefined;
}
