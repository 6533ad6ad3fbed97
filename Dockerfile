# Signet without a PostgreSQL of its own: it needs DATABASE_URL.

FROM node:26-trixie-slim AS dependencies
WORKDIR /signet
COPY package.json package-lock.json .npmrc ./
# The binaries of the embedded PostgreSQL are optional dependencies; argon2 ships its own builds.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26-trixie-slim AS console
WORKDIR /signet
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json vite.config.ts ./
COPY gen gen
COPY src/console src/console
RUN node node_modules/vite/bin/vite.js build

FROM node:26-trixie-slim
WORKDIR /signet
ENV NODE_ENV=production HOST=0.0.0.0
COPY --from=dependencies /signet/node_modules node_modules
COPY package.json LICENSE ./
COPY gen gen
COPY src src
COPY --from=console /signet/dist/console dist/console
USER node
EXPOSE 5678
# In clear text; with SIGNET_TLS_CERT_FILE, give a check that knows the certificate's name.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 5678}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node runs as process 1 and handles SIGTERM itself: it drains and exits.
CMD ["node", "src/main.ts"]
