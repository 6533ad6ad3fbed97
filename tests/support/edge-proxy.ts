import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { openTestFolder } from "./postgres.ts";
import { startProgram } from "./programs.ts";
import { freePort } from "./service.ts";
import { until } from "./waiting.ts";

/** A real proxy, with a configuration of `examples/`. */
export interface EdgeProxy extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What it has logged of late. */
  log(): string;
}

/** Where the addresses of an example lead to in a test. */
export interface ProxiedServices {
  /** The URL of Signet. */
  readonly signetUrl: string;
  /** The URL of the app behind the proxy. */
  readonly appUrl: string;
}

/** Whether the machine has Caddy: on Debian, `apt-get install caddy`. */
export function hasCaddy(): boolean {
  return spawnSync("caddy", ["version"]).status === 0;
}

/** Starts nginx with `examples/nginx.conf`. */
export function startNginx(services: ProxiedServices): Promise<EdgeProxy> {
  return startProxy("nginx.conf", addressesOf(services), toNginx);
}

/** Starts Caddy with `examples/Caddyfile`. */
export function startCaddy(services: ProxiedServices): Promise<EdgeProxy> {
  return startProxy("Caddyfile", addressesOf(services), (folder, file) => ({
    program: "caddy",
    words: ["run", "--adapter", "caddyfile", "--config", file],
    environment: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    change: (text) => text,
  }));
}

/** How a proxy is started on the file that holds its configuration. */
export interface ProxyStart {
  readonly program: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Adds to the example what only a test needs. */
  readonly change: (text: string) => string;
}

/** How nginx is started. */
export function toNginx(folder: string, file: string): ProxyStart {
  // What Debian's package would write below /var, where this account may not write.
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const directives = "daemon off; pid nginx.pid; error_log stderr; worker_processes 1;";
  return {
    words: ["-p", folder, "-e", "stderr", "-c", file, "-g", directives],
    program: "nginx",
    change: (text) => text.replace("http {", `http {\naccess_log off;\n${places.join("\n")}`),
  };
}

/**
 * Starts a proxy with a file of `examples/`, in which other addresses stand: `addresses` has them
 * by those that are written there. It takes a free port in place of 127.0.0.1:8000.
 */
export async function startProxy(
  example: string,
  addresses: Readonly<Record<string, string>>,
  toStart: (folder: string, file: string) => ProxyStart,
): Promise<EdgeProxy> {
  const folder = await openTestFolder();
  const port = await freePort();
  const file = join(folder, example);
  const { program, words, environment, change } = toStart(folder, file);
  const text = withAddresses(readFileSync(`examples/${example}`, "utf8"), {
    ...addresses,
    "127.0.0.1:8000": `127.0.0.1:${port}`,
  });
  await writeFile(file, change(text));
  const running = startProgram(program, words, environment);
  const stop = async (): Promise<void> => {
    await running.stop();
    await rm(folder, { recursive: true });
  };
  try {
    await until(() => accepts(port));
  } catch (error) {
    const log = running.output.tail();
    await stop();
    throw new Error(`${program} did not start:\n${log}`, { cause: error });
  }
  const log = () => running.output.tail();
  return { url: `http://127.0.0.1:${port}`, port, log, [Symbol.asyncDispose]: stop };
}

function addressesOf({ signetUrl, appUrl }: ProxiedServices): Readonly<Record<string, string>> {
  return {
    "127.0.0.1:5678": new URL(signetUrl).host,
    "127.0.0.1:8080": new URL(appUrl).host,
  };
}

function withAddresses(text: string, addresses: Readonly<Record<string, string>>): string {
  let changed = text;
  for (const [written, actual] of Object.entries(addresses)) {
    if (!changed.includes(written)) throw new Error(`the example does not name ${written}`);
    changed = changed.replaceAll(written, actual);
  }
  return changed;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const settle = (isOpen: boolean) => () => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", settle(true)).once("error", settle(false));
  });
}
