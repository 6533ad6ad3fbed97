import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { UserService } from "../gen/signet/v1/user_service_pb.ts";
import { createConnectInterceptor, createSignetClient, principalOf } from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const verifier = signet.tokenVerifier({ audience: "shop" });

const anyUser = { interceptors: [createConnectInterceptor({ verifier })] };
const editors = { interceptors: [createConnectInterceptor({ verifier, roles: ["editor"] })] };

// An app has services of its own; two RPCs of Signet stand in for them here.
const handler = connectNodeAdapter({
  routes(router) {
    const { getUser, listUsers } = UserService.method;
    // Whatever the request says: everybody is shown themselves, and nobody else.
    const showCaller = async (_request: unknown, { values }: { readonly values: object }) => {
      return await signet.users.getUser({ userId: principalOf(values).userId });
    };
    router.rpc(getUser, showCaller, anyUser);
    router.rpc(listUsers, ({ pageSize }) => signet.users.listUsers({ pageSize }), editors);
  },
});

const server = createServer(handler);
server.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => {
  server.close();
  signet.close();
});
