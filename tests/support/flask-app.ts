import { rm } from "node:fs/promises";
import { join } from "node:path";
import { blocksOf } from "./guide-blocks.ts";
import { openTestFolder } from "./postgres.ts";
import { type RunningProgram, runProgram, startProgram } from "./programs.ts";
import { freePort } from "./service.ts";

/** examples/flask/app.py, built and started as docs/guides/python.md says. */
export interface FlaskApp extends AsyncDisposable {
  readonly url: string;
  readonly program: RunningProgram;
}

/** Debian's own Python, whatever else is installed beside it. */
const PATH = "/usr/bin:/bin";
/** Without what a person has in their shell, which might put another Python first. */
const BASH = ["--norc", "-ec"];
const [INSTALL = "", GENERATE = "", START = ""] = blocksOf("python", "bash");

/** Says what this machine lacks of what the guide installs; empty: nothing. */
export async function missingForFlask(): Promise<string> {
  const imports = "import flask, jwt, grpc, cryptography, google.protobuf";
  const look = `python3 -c "${imports}" && protoc --version && command -v grpc_python_plugin`;
  const { exitCode } = await runProgram("/bin/bash", [...BASH, look], { PATH });
  return exitCode === 0 ? "" : INSTALL.replaceAll(/\\\n\s*/g, "").trim();
}

/** Makes the modules and starts the app on a free port. */
export async function startFlaskApp(signetUrl: string, key: string): Promise<FlaskApp> {
  const folder = await openTestFolder();
  const port = await freePort();
  const environment = { PATH, PYTHONPATH: join(folder, "modules"), PORT: `${port}` };
  const generated = await runProgram("/bin/bash", [...BASH, GENERATE], environment);
  if (generated.exitCode !== 0) throw new Error(`protoc has failed:\n${generated.stderr}`);
  const command = START.replace("http://127.0.0.1:5678", signetUrl).replace("sgn_...", key);
  const program = startProgram("/bin/bash", [...BASH, command], environment);
  await program.output.waitFor(/Running on/, "the Flask app");
  return {
    url: `http://127.0.0.1:${port}`,
    program,
    async [Symbol.asyncDispose]() {
      await program.stop();
      await rm(folder, { recursive: true });
    },
  };
}
