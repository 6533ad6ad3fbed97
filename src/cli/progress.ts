import type { Terminal } from "./terminal.ts";

/** Shows how far long work has come: so many of about so many in all. */
export type Progress = (done: number, total: number) => void;

const BAR_WIDTH = 24;
/** Where no bar can be drawn, a line comes with each tenth. */
const STEPS = 10;

/** Shows a bar where a person watches, and notes a few lines elsewhere. */
export function createProgress(terminal: Terminal, what: string): Progress {
  let begin: { readonly ms: number; readonly done: number } | undefined;
  let noted = -1;
  return (done, total) => {
    const nowMs = performance.now();
    // After a resume some of it is done already, and says nothing about the speed.
    if (!begin || done < begin.done) begin = { ms: nowMs, done };
    const fraction = total > 0 ? Math.min(done / total, 1) : 1;
    const perSecond = ((done - begin.done) / Math.max(nowMs - begin.ms, 1)) * 1_000;
    const facts = describe(done, total, perSecond);
    if (terminal.show(`${what}  ${drawBar(fraction)}  ${facts}`)) return;
    const step = Math.floor(fraction * STEPS);
    if (step !== noted) terminal.note(`${what}: ${facts}`);
    noted = step;
  };
}

function drawBar(fraction: number): string {
  const filled = Math.round(fraction * BAR_WIDTH);
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`;
}

function describe(done: number, total: number, perSecond: number): string {
  const facts = [`${count(done)} of ${count(total)}`];
  if (perSecond >= 1) {
    facts.push(`${count(perSecond)}/s`);
    const leftSeconds = Math.ceil(Math.max(total - done, 0) / perSecond);
    if (leftSeconds > 0) facts.push(`about ${duration(leftSeconds)} left`);
  }
  return facts.join(", ");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function duration(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
