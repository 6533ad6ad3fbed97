import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stopProcess } from "./child-process.ts";

/** An nginx of one process, before an app, that asks somebody about each request. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
}

const START_MS_MAX = 10_000;

/** Whether the machine has the program: on Debian, `apt-get install nginx`. */
export function hasNginx(): boolean {
  return spawnSync("nginx", ["-v"]).status === 0;
}

/**
 * Starts nginx with one folder for each that is asked: a request to `/name/` reaches the app if
 * that one lets it pass. It is asked, and the app is told, as `examples/nginx.conf` has it.
 *
 * @param askedUrls The URL to ask at, by the name of the folder.
 */
export async function startNginx(
  appUrl: string,
  askedUrls: Readonly<Record<string, string>>,
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "signet-bench-nginx-"));
  await chmod(folder, 0o711);
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  await writeFile(file, configurationOf(port, appUrl, askedUrls));
  const words = ["-p", folder, "-e", "stderr", "-c", file];
  const child = spawn("nginx", words, { stdio: ["ignore", "ignore", "inherit"] });
  const dispose = async (): Promise<void> => {
    await stopProcess(child);
    await rm(folder, { recursive: true });
  };
  try {
    await untilListening(port);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: dispose };
}

function configurationOf(
  port: number,
  appUrl: string,
  askedUrls: Readonly<Record<string, string>>,
): string {
  const entries = Object.entries(askedUrls).map(([name, url]) => ({ name, url: new URL(url) }));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
pid nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join("\n  ")}
  ${upstream("app", new URL(appUrl))}
  ${entries.map(({ name, url }) => upstream(name, url)).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    ${HEADERS.map(headerLines).join("\n    ")}
    proxy_set_header Connection "";
    proxy_http_version 1.1;
    ${entries.map(({ name, url }) => locations(name, url)).join("\n    ")}
  }
}
`;
}

function upstream(name: string, { host }: URL): string {
  return `upstream ${name} { server ${host}; keepalive 128; keepalive_requests 100000000; }`;
}

const HEADERS = ["X-User-Id", "X-User-Email", "X-User-Role", "X-Site-Id", "X-Identity-Token"];

function headerLines(header: string): string {
  const name = header.toLowerCase().replaceAll("-", "_");
  return `auth_request_set $${name} $upstream_http_${name}; proxy_set_header ${header} $${name};`;
}

function locations(name: string, { pathname, search }: URL): string {
  return `
    location = /${name}/ {
      auth_request /ask/${name};
      proxy_pass http://app;
    }
    location = /ask/${name} {
      internal;
      proxy_pass http://${name}${pathname}${search};
      proxy_pass_request_body off;
      proxy_pass_request_headers off;
      proxy_set_header Authorization $http_authorization;
      proxy_set_header Cookie $http_cookie;
      proxy_set_header Connection "";
    }`;
}

async function untilListening(port: number): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  while (Date.now() < deadline) {
    if (await accepts(port)) return;
    await sleep(20);
  }
  throw new Error("nginx did not start");
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address === "object" && address) return address.port;
  throw new Error("this machine has no free port");
}
