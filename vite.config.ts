import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The service to which `npm run console:dev` passes calls on. */
const SERVICE_URL = "http://127.0.0.1:5678";

/** Builds the console into static files, which the service serves at `/console`. */
export default defineConfig({
  root: "src/console",
  base: "/console/",
  plugins: [react()],
  // The service puts a fresh value in its place with every answer.
  html: { cspNonce: "__signet_csp_nonce__" },
  build: {
    outDir: "../../dist/console",
    emptyOutDir: true,
    // A file in a data: address would need a policy that lets scripts of such addresses in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_500,
  },
  server: { proxy: { "^/signet\\.v1\\.": SERVICE_URL } },
});
