/** The server's contract, docs/openapi.yaml, and a client that holds a server to it. */

import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv } from "ajv";
import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";

/** The paths that a server answers. */
export const PATHS = ["/api/captures", "/health/ready"] as const;

interface Example {
  "x-outcome"?: string;
  value: unknown;
}

interface DeclaredAnswer {
  "x-outcome"?: string;
  headers?: Record<string, { schema: object }>;
  content: {
    "application/json": {
      schema: object;
      example?: unknown;
      examples?: Record<string, Example>;
    };
  };
}

interface Operation {
  parameters?: { name: string; schema: object }[];
  responses: Record<string, DeclaredAnswer>;
}

/** The document, with all that it refers to in its place. */
interface Contract {
  paths: Record<typeof PATHS[number], { post: Operation; get: Operation }>;
  components: { schemas: Record<string, object> };
}

const text = Deno.readTextFileSync(projectPath("docs/openapi.yaml"));
const validator = new Validator();
export const validity = await validator.validate(text);
export const { paths, components } = validator
  .resolveRefs() as unknown as Contract;
export const upload = paths["/api/captures"].post;

/** Fails with what the schema says of the value. */
export function assertFits(schema: object, value: unknown, what: string): void {
  const ajv = new Ajv({ strict: false, allErrors: true });
  assert(ajv.validate(schema, value), `${what}: ${ajv.errorsText()}`);
}

/** Makes requests, and holds every answer against the document. */
export class ContractClient {
  /** Each operation and status that was seen. */
  readonly seen = new Set<string>();

  async ask(url: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(url, init);
    const method = (init.method ?? "GET").toLowerCase() as "get" | "post";
    const path = new URL(url).pathname as typeof PATHS[number];
    const { status, headers } = response;
    const what = `${method} ${path} ${status}`;
    const declared = paths[path][method].responses[status];
    assert(declared, `${what} is declared`);
    assertEquals(headers.get("content-type"), "application/json", what);
    const body = await response.json();
    assertFits(declared.content["application/json"].schema, body, what);
    for (const [name, { schema }] of Object.entries(declared.headers ?? {})) {
      const value = headers.get(name);
      if (value !== null) assertFits(schema, value, `${what}, ${name}`);
    }
    this.seen.add(what);
    return new Response(JSON.stringify(body), response);
  }
}
