import {
  createFileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/**
 * The published schema, opentelemetry-proto 1.11.0 (Apache-2.0), as
 * `protoc --include_imports --descriptor_set_out` writes it of
 * `opentelemetry/proto/collector/metrics/v1/metrics_service.proto`.
 */
const SCHEMA = new URL("./otlp_metrics_1.11.0.binpb", import.meta.url);
const REQUEST =
  "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest";

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, Deno.readFileSync(SCHEMA)),
);

interface Attribute {
  key: string;
  value: { value: { case: string; value: unknown } };
}

/** One point in time of a metric; what there is of the rest goes by its kind. */
interface Point {
  attributes: Attribute[];
  startTimeUnixNano: bigint;
  timeUnixNano: bigint;
  value: { case: string; value: number };
  count: bigint;
  sum: number;
  bucketCounts: bigint[];
  explicitBounds: number[];
}

/** A metric as the schema has it. */
interface Metric {
  name: string;
  data: {
    case: "gauge" | "sum" | "histogram";
    value: {
      dataPoints: Point[];
      isMonotonic: boolean;
      aggregationTemporality: number;
    };
  };
}

/** An `ExportMetricsServiceRequest` as a collector decodes it. */
export interface DecodedRequest {
  resourceMetrics: {
    resource: { attributes: Attribute[] };
    scopeMetrics: { metrics: Metric[] }[];
  }[];
}

/**
 * Decodes a request in OTLP's JSON encoding by the published schema.
 *
 * @throws {Error} if it has a field that the schema does not, or a value of another type.
 */
export function decodeOtlp(json: string): DecodedRequest {
  const schema = registry.getMessage(REQUEST)!;
  return fromJson(
    schema,
    JSON.parse(json) as JsonValue,
  ) as unknown as DecodedRequest;
}

/** Attributes by their names. */
export function attributesOf(
  { attributes }: { attributes: Attribute[] },
): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.value.value]),
  );
}
