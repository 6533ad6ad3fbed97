import { createGrpcTransport } from "@connectrpc/connect-node";
import type { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import { type Clients, createKey, grpcClients, openSite, type TestSite } from "./builders.ts";
import { openTestDatabase } from "./database.ts";
import { createServiceKeys, startService } from "./service.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

/** Two processes of the service, which may call this machine. */
export interface WebhookService extends AsyncDisposable {
  readonly url: string;
  readonly operatorKey: string;
  /** Opens a Site of its own. */
  openSite(): Promise<WebhookSite>;
}

/** A Site whose webhooks are tested over the wire. */
export interface WebhookSite extends TestSite {
  /** Has an operator create a webhook that posts to a receiver of this machine. */
  open(
    receiver: WebhookReceiver,
    settings?: { readonly label?: string; readonly kinds?: ChangeKind[] },
  ): Promise<string>;
  /** Clients with a key of the Site. */
  keyed(settings: Parameters<typeof createKey>[2]): Promise<Clients>;
}

/** Starts the service. Dispose of it at the end. */
export async function openWebhookService(): Promise<WebhookService> {
  const database = await openTestDatabase();
  const env = { SIGNET_INTERNAL_HOSTS: "127.0.0.1" };
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys(), env };
  const [first, second] = await Promise.all([startService(options), startService(options)]);
  const { url, operatorKey } = first;
  const operator = grpcClients(url, operatorKey);
  return {
    url,
    operatorKey,
    async openSite() {
      const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
      const { siteId } = site;
      return {
        ...site,
        async open(receiver, settings = {}) {
          const wanted = { siteId, url: receiver.url, ...settings };
          const { webhook, secret } = await operator.sync.createWebhook(wanted);
          receiver.secrets.push(secret);
          return webhook?.id ?? "";
        },
        keyed: async (settings) => grpcClients(url, await createKey(operator, siteId, settings)),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([first, second].map((service) => service[Symbol.asyncDispose]()));
      await database[Symbol.asyncDispose]();
    },
  };
}
