import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runProgram } from "../support/programs.ts";
import { hasPromtool, tryRules } from "../support/prometheus-rules.ts";

const FILE = "examples/prometheus-alerts.yml";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const { groups } = parse(readFileSync(FILE, "utf8")) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const mirror = { site: "s", mirror: "m" };
const of = (name: string) => `${name}{site="s", mirror="m", instance="one"}`;

/** For each of the four alerts of master and mirror, series that cause it, and that do not. */
const TRIALS = [
  ["SignetUsersMissingInMirror", of("signet_mirror_users_lacking"), "1x20", "-1x20", mirror],
  ["SignetUsersMissingInMirror", of("signet_mirror_lag_seconds"), "301x20", "300x20", mirror],
  ["SignetMirrorOutOfSync", of("signet_mirror_diverged"), "1x20", "0x20", mirror],
  ["SignetMirrorOutOfSync", of("signet_mirror_differences"), "2x20", "0x20", mirror],
  ["SignetMirrorOutOfSync", of("signet_mirror_report_age_seconds"), "91x20", "30x20", mirror],
  ["SignetWebhooksFailing", "signet_webhook_delay_seconds", "301x20", "299x20", {}],
  ["SignetWebhooksFailing", 'signet_webhook_deliveries{state="dead"}', "1x20", "0x20", {}],
  ["SignetWebhooksFailing", 'signet_webhooks{state="failed"}', "1x20", "0x20", {}],
  ["SignetForbiddenWrite", of("signet_mirror_foreign_writes_total"), "0+1x20", "7x20", mirror],
  [
    "SignetForbiddenWrite",
    'signet_calls_total{rpc="r", code="permission_denied", reason="access_denied"}',
    "0+1x20",
    "7x20",
    { rpc: "r" },
  ],
] as const;

describe(FILE, () => {
  test("has the four alerts of master and mirror, and all are in the guide", () => {
    const guide = readFileSync("docs/guides/observability.md", "utf8");
    const [sync] = groups;

    expect(sync?.rules.map(({ alert }) => alert)).toEqual([
      "SignetUsersMissingInMirror",
      "SignetMirrorOutOfSync",
      "SignetWebhooksFailing",
      "SignetForbiddenWrite",
    ]);
    expect(sync?.rules.filter(({ alert }) => !guide.includes(`| ${alert} |`))).toEqual([]);
  });

  test("says of each alert how grave it is and what has happened", () => {
    const bad = rules.filter(
      ({ labels, annotations }) =>
        !["critical", "warning"].includes(labels.severity) || annotations.summary.length < 10,
    );

    expect(bad).toEqual([]);
  });
});

describe.skipIf(!(await hasPromtool()))("promtool", () => {
  test("takes the rules", async () => {
    expect(await runProgram("promtool", ["check", "rules", FILE])).toMatchObject({ exitCode: 0 });
  });

  test("fires each of the four alerts when it should, and not before", async () => {
    const trials = TRIALS.flatMap(([alert, series, bad, good, labels]) => [
      { alert, series: { [series]: bad }, minutes: 18, labels },
      { alert, series: { [series]: good }, minutes: 18, labels: undefined },
    ]);

    expect(await tryRules(FILE, trials)).toMatchObject({ exitCode: 0, stderr: "" });
  });
});
