import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { createProof } from "./session/proof.ts";
import { createSession } from "./session/session.ts";
import { createCallerTransport, createPublicTransport, renewTokens } from "./session/transport.ts";
import { createTranslation } from "./words/translation.ts";
import "@mantine/core/styles.css";
import "@mantine/charts/styles.css";
import "@mantine/notifications/styles.css";
import "./console.css";

const nonce = document.querySelector<HTMLElement>("meta[property=csp-nonce]")?.nonce ?? "";
// By this name the library that keeps the page behind a dialog from scrolling looks for it.
Object.assign(globalThis, { __webpack_nonce__: nonce });

const proof = createProof();
const session = createSession(renewTokens);
const shared = {
  session,
  proof,
  publicTransport: createPublicTransport(),
  transport: createCallerTransport(session, proof),
};
const translation = await createTranslation();
const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");
createRoot(root).render(
  <StrictMode>
    <App shared={shared} translation={translation} nonce={nonce} />
  </StrictMode>,
);
