# The sidecar as an image: built from this checkout, run by a user without rights on a file system that nobody writes to.
# Build:  docker build -t blindference-edge-sidecar .
# Run:    see deploy/docker-compose.yml
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run -s build

# What the built program imports at run time, and nothing else.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-slim
# tpm2-tools for BLF_ATTESTATION_BACKEND=tpm; without a TPM they lie idle.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tpm2-tools \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node -m 0700 /state
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/package.json /app/package-lock.json ./
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
ENV NODE_ENV=production \
    BLF_SIDECAR_STATE=/state \
    BLF_SIDECAR_HOST=0.0.0.0 \
    BLF_SIDECAR_PORT=8790
USER node
VOLUME /state
EXPOSE 8790
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8790/v1/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The program itself is process 1: it takes SIGTERM, finishes or keeps what runs, and ends within ten seconds.
ENTRYPOINT ["node", "dist/sidecar.js"]
