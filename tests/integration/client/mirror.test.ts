import { createMemoryMirror, createPostgresMirror, UserState } from "../../../src/client/index.ts";
import { describeMirror } from "../../conformance/mirror-conformance.ts";
import { openMirrorTable } from "../../support/mirror-table.ts";

describeMirror("in memory", async () => {
  const storage = createMemoryMirror();
  return {
    open: () => storage,
    async users() {
      const live = [...storage.users.values()].filter(({ state }) => state !== UserState.DELETED);
      return new Map(live.map(({ id, email }) => [id, email] as const).sort());
    },
    async tamper(id, email) {
      const user = storage.users.get(id);
      if (user) user.email = email;
    },
    async [Symbol.asyncDispose]() {},
  };
});

describeMirror("in PostgreSQL", async () => {
  const { table, openPool, ...place } = openMirrorTable();
  const pool = openPool();
  return {
    ...place,
    open: () => createPostgresMirror({ pool, table }),
    tamper: (id, email) =>
      place.pastTheGuard(`update ${table} set email = '${email}' where id = '${id}'`),
  };
});
