import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** What tells one process from a later one with the same number. */
export interface ProcessIdentity {
  /** Comparable for equality only. */
  readonly startedAt: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

/** Describes a process; undefined if there is none of that number, or only its remains. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  return process.platform === "linux" ? await identifyByProc(pid) : await identifyByPs(pid);
}

/** Source: proc(5). The name in parentheses may hold anything, so fields count from its end. */
async function identifyByProc(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const [boot, stat, commandLine] = await Promise.all([
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
    ]);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X") return undefined;
    return {
      startedAt: `${boot.trim()} ${startTicks}`,
      command: commandLine.split("\0").slice(0, -1),
    };
  } catch {
    return undefined;
  }
}

async function identifyByPs(pid: number): Promise<ProcessIdentity | undefined> {
  const columns = ["-o", "state=", "-o", "lstart=", "-o", "command="];
  try {
    const { stdout } = await promisify(execFile)("ps", ["-ww", "-p", String(pid), ...columns], {
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C", TZ: "UTC" },
    });
    // For example: S+   Sat Nov 21 01:30:00 2026 /path/to/postgres -D /data
    const match = /^(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(stdout.trim());
    const [, state = "Z", startedAt = "", command = ""] = match ?? [];
    return state.startsWith("Z") ? undefined : { startedAt, command: command.split(" ") };
  } catch {
    return undefined;
  }
}
