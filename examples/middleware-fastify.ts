import { fastify } from "fastify";
import {
  createFastifyHook,
  createSignetClient,
  findPrincipal,
  principalOf,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const verifier = signet.tokenVerifier({ audience: "shop" });

const app = fastify();
app.addHook("onClose", () => signet.close());

const anyone = { onRequest: createFastifyHook({ verifier, optional: true }) };
app.get("/", anyone, async (request) => {
  return { welcome: findPrincipal(request)?.userId ?? "stranger" };
});

const editors = { onRequest: createFastifyHook({ verifier, roles: ["editor", "admin"] }) };
app.get("/reports", editors, async () => ({ reports: [] }));

// In here, nothing is reached without a token.
app.register(async (guarded) => {
  guarded.addHook("onRequest", createFastifyHook({ verifier }));
  guarded.get("/me", async (request) => {
    const { userId, roles } = principalOf(request);
    return { userId, roles };
  });
});

await app.listen({ port: Number(PORT), host: "127.0.0.1" });
console.log("the app is ready");
process.once("SIGTERM", () => void app.close());
