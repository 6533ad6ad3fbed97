import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Pool } from "pg";
import { UserSchema } from "../../gen/signet/v1/user_pb.ts";
import {
  LookupUserRequestSchema,
  LookupUserResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { answerParent } from "../child-process.ts";
import { FRAME_HEADER_BYTES, frame } from "../grpc-frame.ts";
import type { ListeningAt } from "./validate-answer.ts";

/** Where the Users are. */
export interface LookupSource {
  /** A superuser's, for whom there is no row-level security. */
  readonly databaseUrl: string;
  readonly siteId: string;
}

/** As many as the service has by default. */
const CONNECTIONS = 16;

const STATEMENT = {
  name: "look_up",
  text: `select id, site_id, version, email, email_verified, username, display_name, picture_url,
                locale, roles, state, mfa_enabled, password_change_time, external_id, metadata,
                create_time, update_time
           from signet.users where site_id = $1 and email = $2`,
};

answerParent(listen);

/** Serves LookupUser by e-mail with one prepared statement, and with nothing else around it. */
async function listen({ databaseUrl, siteId }: LookupSource): Promise<ListeningAt> {
  const pool = new Pool({ connectionString: databaseUrl, max: CONNECTIONS });
  pool.on("error", () => undefined); // The service, whose database it is, ends before its clients.
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => stream.close());
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      lookUp(pool, siteId, Buffer.concat(chunks).subarray(FRAME_HEADER_BYTES)).then(
        (answer) => respond(stream, frame(answer)),
        () => stream.destroy(),
      );
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return { url: `http://127.0.0.1:${port}` };
}

async function lookUp(pool: Pool, siteId: string, bytes: Uint8Array): Promise<Uint8Array> {
  const { user } = fromBinary(LookupUserRequestSchema, bytes);
  const { rows } = await pool.query({ ...STATEMENT, values: [siteId, user?.ref.value] });
  const [row] = rows;
  const found = create(UserSchema, {
    id: row.id,
    siteId: row.site_id,
    version: BigInt(row.version),
    email: row.email ?? "",
    emailVerified: row.email_verified,
    username: row.username ?? "",
    displayName: row.display_name,
    pictureUrl: row.picture_url,
    locale: row.locale,
    roles: row.roles,
    mfaEnabled: row.mfa_enabled,
    externalId: row.external_id ?? "",
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
  });
  return toBinary(LookupUserResponseSchema, create(LookupUserResponseSchema, { user: found }));
}

function respond(stream: ServerHttp2Stream, body: Buffer): void {
  const headers = { ":status": 200, "content-type": "application/grpc+proto" };
  stream.respond(headers, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(body);
}
