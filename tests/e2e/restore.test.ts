import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { createSignetClient, createUserMirror, type UserMirror } from "../../src/client/index.ts";
import { withDatabase } from "../../src/store/roles.ts";
import {
  type Clients,
  grpcClients,
  logIn,
  openSite,
  refusal,
  type SignedIn,
  signUp,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type Guide, openGuide } from "../support/guide.ts";
import { type MirrorTable, openMirrorTable } from "../support/mirror-table.ts";
import { dumpablePostgres } from "../support/postgres-client.ts";
import { type ProgramResult, runSignet } from "../support/programs.ts";
import { openRestorableSignet, type RestorableSignet } from "../support/restored-signet.ts";
import { pathWithSignet } from "../support/signet-command.ts";
import { until } from "../support/waiting.ts";

const WAIT_MS = 60_000;
const USERS = 12;

/** What this machine's `pg_dump` can dump. */
const version = dumpablePostgres();

// Without PostgreSQL's client programs there is nothing to dump with.
describe.skipIf(version === undefined)("the lines of docs/operations.md", () => {
  let signet: RestorableSignet;
  let guide: Guide;
  let site: TestSite;
  let place: MirrorTable;
  let mirror: UserMirror;
  let client: ReturnType<typeof createSignetClient>;
  let operator: Clients;
  let member: SignedIn;
  let early = "";

  beforeAll(async () => {
    signet = await openRestorableSignet(version ?? 18);
    guide = openGuide("../operations", {
      ...signet.environment(),
      DATABASE_RESTORED_URL: signet.environment("restored").DATABASE_ADMIN_URL ?? "",
      BACKUPS: signet.folder,
      PATH: await pathWithSignet(),
    });
  });

  afterAll(async () => {
    await mirror?.close();
    client?.close();
    await place?.[Symbol.asyncDispose]();
    await signet?.[Symbol.asyncDispose]();
  });

  test("prepare and migrate a database", async () => {
    expect(await guide.endNext()).toMatchObject({
      exitCode: 0,
      stdout: "The schema is up to date.\n",
    });
  });

  test("restore a dump into a new database, and a mirror follows without a new copy", async () => {
    const { DATABASE_ADMIN_URL: adminUrl = "" } = signet.environment();
    const serverUrl = withDatabase(adminUrl, "postgres");
    await signet.serve();
    await openSiteWithMirror();
    await expectDone(guide.endNext());
    const lost = await writeWhatIsLost();
    await signet.stopServing();
    await runAsAdmin(serverUrl, "create database restored");

    await expectDone(guide.endNext());
    await runAsAdmin(serverUrl, "drop database signet with (force)");
    await runAsAdmin(serverUrl, "alter database restored rename to signet");
    await signet.serve();

    await expectMirrorWithout(lost);
  });

  test("tell Signet of a copy of the files, and a mirror follows without a new copy", async () => {
    await signet.copyFiles();
    await signet.serve();
    const lost = await writeWhatIsLost();
    const before = await epoch();
    await signet.putFilesBack();

    await expectDone(guide.endNext());
    await signet.serve();

    await expectMirrorWithout(lost);
    expect(await epoch()).toBeGreaterThan(before);
  });

  test("compare a mirror after a restore, and put right what was altered in it", async () => {
    const [[stale] = [""]] = [...(await place.users())];
    await place.pastTheGuard(
      `update ${place.table} set version = version - 1 where id = '${stale}'`,
    );

    const { stdout } = await expectDone(guide.endNext(values()));

    expect(stdout).toContain(place.table);
    await expectMirrorWithout("");
  });

  test("make and list operator keys, and replace the secrets of a Site", async () => {
    const operatorKey = await guide.runNext();
    const operatorKeys = await guide.runNext();
    const next = await guide.runNext(values());
    const first = await operator.sites.createApiKey({
      siteId: site.siteId,
      label: "first",
      scopes: [Scope.AUTH],
    });
    const { webhook } = await operator.sync.createWebhook({
      siteId: site.siteId,
      url: "https://hooks.example.com/signet",
    });

    await expectDone(
      guide.endNext({
        ...values(),
        "first key id": first.apiKey?.id ?? "",
        "webhook id": webhook?.id ?? "",
      }),
    );

    const { apiKeys } = await operator.sites.listApiKeys({ siteId: site.siteId });
    expect(operatorKey).toMatchObject({ secret: expect.stringMatching(/^sgn_op_/) });
    expect(operatorKeys).toMatchObject({ apiKeys: [{ label: "deployments" }] });
    expect(next).toMatchObject({ secret: expect.stringMatching(/^sgn_site_/) });
    expect(apiKeys.map(({ label }) => label)).not.toContain("first");
  });

  test("watch, and show what the database is filled with", async () => {
    const watched = await guide.endNext(values());
    const filled = await expectDone(guide.endNext());

    expect(watched.stdout).toContain("ready");
    // Healthy, degraded or unhealthy, as the Mirror's last report has it.
    expect([0, 3, 4]).toContain(watched.exitCode);
    expect(filled.stdout).toMatch(/changes_p?\d*/);
  });

  test("repair a mirror that drifts", async () => {
    const { exitCode, stderr } = await guide.endNext(values());

    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    await expectMirrorWithout("");
  });

  test("shut out a thief, of an operator key or of a signing key", async () => {
    const { apiKey } = await operator.sites.createApiKey({ operator: true, label: "stolen" });
    const person = await signUp(site.backend);

    await expectDone(guide.endNext({ "operator key id": apiKey?.id ?? "" }));
    await expectDone(guide.endNext(values()));
    await expectDone(guide.endNext(values()));

    const { apiKeys } = await operator.sites.listApiKeys({ operator: true });
    const { result } = await site.backend.auth.validateToken({ token: person.accessToken });
    expect(apiKeys.map(({ label }) => label)).not.toContain("stolen");
    expect(result.case).toBe("invalid");
  });

  test("shut out who has taken an account, have mails tried anew, and end a flood", async () => {
    const person = await signUp(site.backend);

    await expectDone(guide.endNext({ ...values(), "user id": person.userId }));
    const checked = await guide.endNext();
    const retried = await guide.endNext(values());
    await expectDone(guide.endNext(values()));

    const { user } = await site.backend.users.getUser({ userId: person.userId });
    const { site: settings } = await operator.sites.getSite({ siteId: site.siteId });
    expect(user?.state).toBe(UserState.DISABLED);
    expect(JSON.parse(checked.stdout)).toHaveProperty("findings");
    expect(JSON.parse(retried.stdout)).toEqual({ retriedCount: 0 });
    expect(settings).toMatchObject({ publicCalls: false, selfRegistration: false });
    expect(guide.left()).toBe(0);
  });

  test("replace operator key, master key and the passwords of the database", async () => {
    const { email, password } = member;
    await signet.stopServing();
    signet.changeSecrets();

    const prepared = await runSignet(["migrate", "--init"], signet.environment());
    await signet.serve();

    const now = grpcClients(signet.url, signet.operatorKey());
    const { accessToken } = await logIn(grpcClients(signet.url, site.key), email, password);
    expect(prepared.exitCode).toBe(0);
    expect(accessToken).not.toBe("");
    expect((await now.sites.getSite({ siteId: site.siteId })).site?.id).toBe(site.siteId);
    expect(await refusal(operator.sites.listSites({}))).toMatchObject({ code: "Unauthenticated" });
  });

  async function openSiteWithMirror(): Promise<void> {
    const transport = createGrpcTransport({ baseUrl: signet.url });
    site = await openSite(transport, signet.operatorKey());
    operator = grpcClients(signet.url, signet.operatorKey());
    member = await signUp(site.backend);
    for (let n = 0; n < USERS; n += 1) {
      const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
      early ||= user?.id ?? "";
    }
    place = openMirrorTable();
    client = createSignetClient({ url: signet.url, key: site.key });
    mirror = createUserMirror({
      client,
      pool: place.openPool(),
      table: place.table,
      heartbeatSeconds: 1,
    });
    await mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
  }

  /** Writes what no backup has, waits until the mirror has it, and returns a User that goes. */
  async function writeWhatIsLost(): Promise<string> {
    const { users } = grpcClients(signet.url, site.key);
    const { user: created } = await users.createUser({ email: uniqueEmail() });
    const { user } = await users.updateUser({ userId: early, displayName: "Lost" });
    const last = { userId: early, version: user?.version ?? 0n };
    await mirror.waitFor(last, { timeoutMs: WAIT_MS });
    return created?.id ?? "";
  }

  async function expectMirrorWithout(lost: string): Promise<void> {
    const columns = "id::text, version::text, coalesce(display_name, '') as name";
    const ofSignet = `select ${columns} from signet.users
                       where site_id = '${site.siteId}' and state <> 'deleted' order by id`;
    const ofMirror = `select ${columns} from ${place.table} where not deleted order by id`;
    await until(async () => {
      const wanted = await runAsAdmin(signet.environment().DATABASE_ADMIN_URL ?? "", ofSignet);
      const { rows } = await place.admin.query(ofMirror);
      return wanted.length >= USERS && JSON.stringify(rows) === JSON.stringify(wanted);
    }, WAIT_MS);
    expect([...(await place.users()).keys()]).not.toContain(lost);
    expect(mirror.counters.snapshots).toBe(1);
  }

  async function epoch(): Promise<number> {
    const [row] = await runAsAdmin<{ readonly epoch: number }>(
      signet.environment().DATABASE_ADMIN_URL ?? "",
      "select epoch::integer from signet.change_state",
    );
    return row?.epoch ?? 0;
  }

  function values(): Readonly<Record<string, string>> {
    const { adminUrl } = inject("postgres");
    return { "site id": site.siteId, "app database": adminUrl, table: place.table };
  }
});

async function expectDone(ending: Promise<ProgramResult>): Promise<ProgramResult> {
  const ended = await ending;
  expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
  return ended;
}
