import { spawnSync } from "node:child_process";
import type { Balancer } from "./balancer.ts";
import { startProxy, toNginx } from "./edge-proxy.ts";
import { freePort } from "./service.ts";

/** Whether the machine has HAProxy: on Debian, `apt-get install haproxy`. */
export function hasHaproxy(): boolean {
  return spawnSync("haproxy", ["-v"]).status === 0;
}

/** Starts nginx with `examples/nginx-grpc.conf` before two processes. */
export async function startNginxBalancer(ports: readonly number[]): Promise<Balancer> {
  const port = await freePort();
  const proxy = await startProxy(
    "nginx-grpc.conf",
    { ...addressesOf(ports), "127.0.0.1:8001": `127.0.0.1:${port}` },
    toNginx,
  );
  return { ...proxy, url: `http://127.0.0.1:${port}`, http1Url: proxy.url };
}

/** Starts HAProxy with `examples/haproxy.cfg` before two processes. */
export function startHaproxyBalancer(ports: readonly number[]): Promise<Balancer> {
  return startProxy("haproxy.cfg", addressesOf(ports), (_, file) => ({
    program: "haproxy",
    words: ["-db", "-f", file],
    change: (text) => text,
  }));
}

function addressesOf([first, second]: readonly number[]): Readonly<Record<string, string>> {
  return {
    "127.0.0.1:5678": `127.0.0.1:${first}`,
    "127.0.0.1:5679": `127.0.0.1:${second}`,
  };
}
