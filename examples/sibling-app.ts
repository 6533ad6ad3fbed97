import { createSignetClient } from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "" } = process.env;
const [email = "", password = ""] = process.argv.slice(2);
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });

// Sign a user in: the password goes to Signet, and this app keeps nothing of it.
const identifier = { case: "email", value: email } as const;
const { result } = await signet.auth.login({ identifier, password, audiences: ["shop"] });
if (result.case !== "session") throw new Error("a second factor comes next");

// Check the access token locally, as every service does that is called with it.
const verifier = signet.tokenVerifier({ audience: "shop" });
const { userId, roles } = await verifier.verify(result.value.tokens?.accessToken ?? "");
console.log(`signed in: user ${userId} with roles ${roles}`);

// Follow all users: first as they are, then each change within milliseconds of its commit.
for await (const item of signet.subscribe()) {
  const users = item.type === "snapshot_page" ? item.users : [];
  const changed = item.type === "changes" ? item.changes.map(({ user }) => user) : users;
  for (const user of changed) console.log(`user ${user?.id}: ${user?.email}, v${user?.version}`);
}
