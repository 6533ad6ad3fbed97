import { pino } from "pino";
import { migrate } from "../../src/store/migrate.ts";

/** A program: migrates once, as a service does at its start. Its arguments: URL, folder. */
const [, , ownerUrl = "", folder = ""] = process.argv;
await migrate({ ownerUrl, folder, log: pino({ level: "silent" }) });
