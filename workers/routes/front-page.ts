/** The public front page: what this is, whether it is configured, and where to look. It tells a stranger no more. */
import type { Context } from "hono";
import { html } from "hono/html";
import { VERSION } from "../../core/version.ts";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";

export function frontPage(c: Context<App>) {
  const healthy = wire(c.env).result.settings !== null;
  return c.html(html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Blindference Edge</title>
    <style>
      :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
      main { max-width: 36rem; margin: 12vh auto; padding: 0 1.25rem; }
      h1 { font-size: 1.5rem; margin: 0 0 0.5rem; }
      .state { display: inline-flex; gap: 0.5rem; align-items: center; font-weight: 600; }
      .dot { width: 0.7rem; height: 0.7rem; border-radius: 50%; background: ${healthy ? "#1a7f37" : "#b3261e"}; }
      code { font-size: 0.95em; }
      small { opacity: 0.75; }
    </style>
  </head>
  <body>
    <main>
      <h1>Blindference Edge</h1>
      <p class="state"><span class="dot"></span>${healthy ? "Configured and running" : "Not configured: nothing is claimed"}</p>
      <p>
        A node of the Blindference network for confidential AI inference, on Arbitrum Sepolia.
        <strong>Testnet only: no real funds.</strong>
      </p>
      <p>
        ${
          healthy
            ? html`The operator's view is at <code>/api/status</code>, behind the admin token.`
            : html`<code>/healthz</code> names what is missing; <code>/api/settings</code>, behind the admin token, gives each fault with its fix.`
        }
      </p>
      <small>Version ${VERSION}</small>
    </main>
  </body>
</html>`);
}
