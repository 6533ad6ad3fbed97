import { describe, expect, test } from "vitest";
import { createHistoryChecker, type LoggedChange } from "../../support/history-checker.ts";
import { createOperationLog, type Intent, type Outcome } from "../../support/operation-log.ts";
import type { MirrorRow } from "../../support/restless-mirror.ts";

/** What a client did: an operation that began and ended before the next one. */
type Step = readonly [Intent, Outcome];

const ADA = "user-a";

describe("the checker of a history", () => {
  test("finds nothing where all was as it was told", () => {
    const steps = [created(1), renamed(2), deleted(3)];

    const verdict = judge(steps, [logged(1), logged(2), erased(3)], [row(3, "", true)]);

    expect(verdict).toEqual({ lost: [], faults: [] });
  });

  test("lets an operation without an answer happen, or not", () => {
    const unheard = [{ type: "rename", names: new Map([[ADA, "name 2"]]) }, UNKNOWN] as const;

    const happened = judge([created(1), unheard], [logged(1), logged(2)], [row(2)]);
    const didNot = judge([created(1), unheard], [logged(1)], [row(1)]);

    expect(happened).toEqual({ lost: [], faults: [] });
    expect(didNot).toEqual({ lost: [], faults: [] });
  });

  test("misses a write that was acknowledged", () => {
    const { lost } = judge([created(1), renamed(2)], [logged(1)], [row(1)]);

    expect(lost).toEqual(["version 2 of user-a was acknowledged, and is not there"]);
  });

  test("misses a write whose version another one has", () => {
    const other = { ...logged(2), displayName: "name 7" };
    const seventh: Step = [{ type: "rename", names: new Map([[ADA, "name 7"]]) }, UNKNOWN];

    const { lost } = judge(
      [created(1), renamed(2), seventh],
      [logged(1), other],
      [row(2, "name 7")],
    );

    expect(lost).toEqual(["version 2 of user-a was acknowledged as name 2"]);
  });

  test("misses a deletion that was acknowledged", () => {
    const { lost } = judge([created(1), deleted(2)], [logged(1)], [row(1)]);

    expect(lost).toContain("user-a is there, though its deletion was acknowledged");
  });

  test("sees a write that took effect twice", () => {
    const again = { ...logged(3), displayName: "name 2" };

    const { faults } = judge(
      [created(1), renamed(2)],
      [logged(1), logged(2), again],
      [row(3, "name 2")],
    );

    expect(faults).toEqual([
      "name 2 took effect twice: version 2 of user-a and version 3 of user-a",
    ]);
  });

  test("sees a write that was refused, and one that nobody made", () => {
    const refused: Step = [
      { type: "rename", names: new Map([[ADA, "name 2"]]) },
      { type: "refused", reason: "VERSION_MISMATCH" },
    ];
    const changes = [logged(1), logged(2), logged(3)];

    const { faults } = judge([created(1), refused], changes, [row(3)]);

    expect(faults).toEqual([
      "version 2 of user-a is name 2, which was refused",
      "version 3 of user-a is name 3, which nobody has written",
    ]);
  });

  test("sees gaps and repeats of positions and versions", () => {
    const changes = [logged(1), { ...logged(3), position: 4 }];

    const { faults } = judge([created(1)], changes, [row(3)]);

    expect(faults).toContain("position 4 follows 1");
    expect(faults).toContain("user-a: user_updated with version 3 follows 1");
  });

  test("sees a table that is not what was logged last", () => {
    const verdict = judge([created(1)], [logged(1)], [row(1, "name 9")]);
    const missing = judge([created(1)], [logged(1)], []);

    expect(verdict.faults).toEqual(["user-a is not as it was logged last"]);
    expect(missing.faults).toEqual(["1 Users logged, 0 there"]);
  });

  test("sees a write that began after a later version was acknowledged", () => {
    const changes = [logged(1), logged(2), logged(3)];

    const { faults } = judge([created(1), renamed(3), renamed(2)], changes, [row(3)]);

    expect(faults).toEqual(["version 2 of user-a was begun after a higher one was acknowledged"]);
  });

  test("sees one version acknowledged with two contents", () => {
    const other: Step = [
      { type: "rename", names: new Map([[ADA, "name 3"]]) },
      acknowledged(2, "name 3"),
    ];

    const { faults } = judge([created(1), renamed(2), other], [logged(1), logged(2)], [row(2)]);

    expect(faults).toContain("version 2 of user-a is both name 2 and name 3");
  });

  test("sees a log that ends what it never began", () => {
    const log = createOperationLog();
    const end = log.invoke("client", created(1)[0]);
    end(UNKNOWN);
    end(UNKNOWN);

    const { faults } = createHistoryChecker(log.entries).finish(new Map());

    expect(faults).toEqual(["operation 1 ended, but did not run"]);
  });
});

const UNKNOWN = { type: "unknown", problem: "no answer" } as const;

function acknowledged(version: number, name: string): Outcome {
  return { type: "acknowledged", written: [{ userId: ADA, version, name }] };
}

function created(version: number): Step {
  const name = `name ${version}`;
  return [{ type: "create", name }, acknowledged(version, name)];
}

function renamed(version: number): Step {
  const name = `name ${version}`;
  return [{ type: "rename", names: new Map([[ADA, name]]) }, acknowledged(version, name)];
}

function deleted(version: number): Step {
  return [{ type: "delete", userId: ADA }, acknowledged(version, "")];
}

function logged(version: number): LoggedChange {
  const kind = version === 1 ? "user_created" : "user_updated";
  return { position: version, kind, id: ADA, version, displayName: `name ${version}` };
}

function erased(version: number): LoggedChange {
  return { ...logged(version), kind: "user_deleted", displayName: "" };
}

function row(version: number, displayName = `name ${version}`, isDeleted = false): MirrorRow {
  return { version, displayName, deleted: isDeleted };
}

function judge(
  steps: readonly Step[],
  changes: readonly LoggedChange[],
  rows: readonly MirrorRow[],
) {
  const log = createOperationLog();
  for (const [intent, outcome] of steps) log.invoke("client", intent)(outcome);
  const checker = createHistoryChecker(log.entries);
  for (const change of changes) checker.take(change);
  return checker.finish(new Map(rows.map((found) => [ADA, found])));
}
