import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ENDPOINTS } from "../core/sidecar/endpoints.ts";
import { openApiDocument } from "../sidecar/http/openapi.ts";
import { renderOpenApi } from "./openapi-doc.ts";

it("the document is what the schemas say", () => {
  const page = readFileSync(new URL("../docs/operate/sidecar-api.json", import.meta.url), "utf8");
  expect(page).toBe(renderOpenApi());
  expect(JSON.parse(page)).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
});

it("every endpoint is there, with its body, its answers and, unless it is public, its signature", () => {
  const { paths } = JSON.parse(renderOpenApi());
  for (const [name, endpoint] of Object.entries(ENDPOINTS)) {
    const operation = paths[endpoint.path]?.[endpoint.method.toLowerCase()];
    expect(operation.operationId).toBe(name);
    expect("requestBody" in operation).toBe("body" in endpoint);
    expect("security" in operation).toBe(!("isPublic" in endpoint));
    for (const status of Object.keys(endpoint.statuses))
      expect(operation.responses[status].content).toBeTypeOf("object");
  }
});

it("what travels is described, not what it becomes: integers and bytes are texts", () => {
  const { paths } = JSON.parse(renderOpenApi());
  const start = paths["/v1/executions"].post.requestBody.content["application/json"].schema;
  expect(start.properties.keyHandles.properties.high).toMatchObject({ type: "string" });
  expect(start.required).not.toContain("outputKey");
  const attest = paths["/v1/attest"].post.requestBody.content["application/json"].schema;
  expect(attest.properties.nonce).toMatchObject({ type: "string", description: "Base64." });
});
