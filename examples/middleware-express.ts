import express from "express";
import {
  createExpressMiddleware,
  createSignetClient,
  findPrincipal,
  principalOf,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const verifier = signet.tokenVerifier({ audience: "shop" });

const app = express();

app.get("/", createExpressMiddleware({ verifier, optional: true }), (request, response) => {
  response.json({ welcome: findPrincipal(request)?.userId ?? "stranger" });
});

app.use("/reports", createExpressMiddleware({ verifier, roles: ["editor", "admin"] }));
app.get("/reports", (_request, response) => {
  response.json({ reports: [] });
});

// From here on, nothing is reached without a token.
app.use(createExpressMiddleware({ verifier }));
app.get("/me", (request, response) => {
  const { userId, roles } = principalOf(request);
  response.json({ userId, roles });
});

const server = app.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => {
  server.close();
  signet.close();
});
