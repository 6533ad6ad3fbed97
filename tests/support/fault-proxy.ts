import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a proxy does to what passes through it. */
export type LinkState =
  | "sound"
  /** Nothing passes, and nobody is told; what was held goes on afterwards. */
  | "black_hole"
  /** Requests pass, answers vanish; who has lost one is cut off afterwards. */
  | "answers_lost"
  /** Answers pass at some 20 KB a second, on each connection. */
  | "slow";

/** The end of a connection that is left alone: who connects is near, who accepts is far. */
export type Side = "near" | "far";

/** A proxy on loopback that does to connections what networks do. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  turn(state: LinkState): void;
  /**
   * Ends each connection on one side, and tells the other side nothing: it is still open there,
   * takes all that is sent, and is silent. Returns how many there were. New ones are sound.
   */
  halfOpen(alive: Side): number;
  /** Resets every connection, and returns how many there were. */
  cut(): number;
  /** How many connections the present state, or the last one, has touched. */
  touched(): number;
}

const HOST = "127.0.0.1";
const SLICE_BYTES = 1_024;
const SLICE_MS = 50;

/** Starts a proxy before a port of this machine. */
export async function startFaultProxy(target: number): Promise<FaultProxy> {
  const links = new Set<Link>();
  let state: LinkState = "sound";
  let touched = new Set<Link>();
  const course: Course = {
    state: () => state,
    touch: (link) => touched.add(link),
  };
  const server = createServer((near) => {
    const link = createLink(near, connect(target, HOST), course);
    links.add(link);
    void link.closed.then(() => links.delete(link));
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // It listens on TCP.
    turn(next) {
      const lost = state === "answers_lost" ? touched : [];
      state = next;
      for (const link of lost) link.reset();
      if (next !== "sound") touched = new Set();
      for (const link of links) link.obey();
    },
    halfOpen(alive) {
      const left = [...links];
      for (const link of left) link.leave(alive);
      return left.length;
    },
    cut() {
      const all = [...links];
      for (const link of all) link.reset();
      return all.length;
    },
    touched: () => touched.size,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const link of links) link.reset();
      await once(server, "close");
    },
  };
}

interface Course {
  state(): LinkState;
  touch(link: Link): void;
}

/** One connection through the proxy. */
interface Link {
  /** Resolves when both its sockets are closed, however they came to that. */
  readonly closed: Promise<unknown>;
  /** Begins to do what the proxy has been turned to. */
  obey(): void;
  leave(alive: Side): void;
  reset(): void;
}

function createLink(near: Socket, far: Socket, course: Course): Link {
  const sockets = { near, far };
  let leftAlone = false;
  let slicing = false;

  const link: Link = {
    closed: Promise.all([near, far].map(closeOf)),
    obey() {
      if (course.state() === "black_hole") course.touch(link);
      for (const socket of [near, far]) flow(socket);
    },
    leave(alive) {
      leftAlone = true;
      const other = alive === "near" ? "far" : "near";
      sockets[other].resetAndDestroy();
      sockets[alive].resume();
    },
    reset() {
      near.resetAndDestroy();
      far.resetAndDestroy();
    },
  };

  /** What is still in our hands goes first. */
  function flow(from: Socket): void {
    const isHeld = course.state() === "black_hole" || (slicing && from === far);
    isHeld ? from.pause() : from.resume();
  }

  async function answer(bytes: Buffer): Promise<void> {
    if (course.state() === "answers_lost") return course.touch(link);
    if (course.state() !== "slow") return pass(far, near, bytes);
    course.touch(link);
    slicing = true;
    flow(far);
    let rest = bytes;
    while (course.state() === "slow" && rest.length > 0 && !near.destroyed) {
      near.write(rest.subarray(0, SLICE_BYTES));
      rest = rest.subarray(SLICE_BYTES);
      await sleep(SLICE_MS);
    }
    slicing = false;
    flow(far);
    pass(far, near, rest);
  }

  function pass(from: Socket, to: Socket, bytes: Buffer): void {
    if (leftAlone || to.destroyed || bytes.length === 0 || to.write(bytes)) return;
    from.pause();
    to.once("drain", () => flow(from));
  }

  near.on("data", (bytes: Buffer) => pass(near, far, bytes));
  far.on("data", (bytes: Buffer) => void answer(bytes));
  for (const [socket, other] of [
    [near, far],
    [far, near],
  ] as const) {
    socket.setNoDelay(true);
    socket.on("error", () => undefined); // It is followed by the close.
    socket.on("close", () => leftAlone || other.destroySoon());
  }
  if (course.state() !== "sound") link.obey();
  return link;
}

function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}
