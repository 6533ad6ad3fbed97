import { createTally, type Tally } from "../model/tally.ts";

/** What the background work of a process has done. */
export interface WorkCounts {
  readonly jobs: Tally<JobOutcome>;
  readonly mails: Tally<MailOutcome>;
  readonly webhookAttempts: Tally<AttemptOutcome>;
}

/** How a job ended; one that failed is tried again, unless its attempts are used up. */
export type JobOutcome = "succeeded" | "failed";

/** What became of a mail; it is dropped where there is nothing left to say. */
export type MailOutcome = "sent" | "dropped" | "failed" | "given_up";

/** Whether a receiver has accepted what was posted. */
export type AttemptOutcome = "accepted" | "failed";

/** Begins with nothing done. */
export function createWorkCounts(): WorkCounts {
  return {
    jobs: createTally(["succeeded", "failed"]),
    mails: createTally(["sent", "dropped", "failed", "given_up"]),
    webhookAttempts: createTally(["accepted", "failed"]),
  };
}
