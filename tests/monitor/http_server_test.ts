import { assert, assertEquals, assertThrows } from "@std/assert";
import { MonitorServer } from "../../sync/monitor/http_server.ts";

function start(answers: Record<string, string> = { "/": "hello" }) {
  return new MonitorServer({
    hostname: "127.0.0.1",
    port: 0,
    answer: (path) =>
      Promise.resolve(
        answers[path] === undefined
          ? undefined
          : { status: 200, type: "text/plain", body: answers[path] },
      ),
  });
}

/** Sends a request as it stands, and returns all that is answered. */
async function ask(port: number, request: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

const host = "Host: localhost\r\n";

Deno.test("MonitorServer answers GET and HEAD, and says what else there is", async () => {
  await using server = start();
  const get = await ask(server.port, `GET /?x=1 HTTP/1.1\r\n${host}\r\n`);
  assert(get.startsWith("HTTP/1.1 200 OK\r\n") && get.endsWith("hello"), get);
  const head = await ask(server.port, `HEAD / HTTP/1.1\r\n${host}\r\n`);
  assert(head.includes("Content-Length: 5") && !head.includes("hello"), head);
  const other = await ask(server.port, `GET /x HTTP/1.1\r\n${host}\r\n`);
  assert(other.startsWith("HTTP/1.1 404 "), other);
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  assertEquals(await response.text(), "hello");
  const policy = response.headers.get("content-security-policy");
  assert(policy?.startsWith("default-src 'none'"), String(policy));
});

Deno.test("MonitorServer answers a request without a host, as old load balancers send it", async () => {
  await using server = start({ "/healthz": "ok" });
  for (const version of ["1.0", "1.1"]) {
    const request = `GET /healthz HTTP/${version}\r\n\r\n${host}\r\n`;
    const answer = await ask(server.port, request);
    assert(/^HTTP\/1\.1 200 .*ok$/s.test(answer), answer);
  }
});

Deno.test("MonitorServer refuses other methods, other hosts and what is no HTTP", async () => {
  await using server = start();
  const requests = {
    "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n": 405,
    "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n": 421,
    "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n": 421,
    "GET / HTTP/1.1\r\nHost:\r\n\r\n": 421,
    "GET / HTTP/1.1\r\nHost: localhost.evil.example:80\r\n\r\n": 421,
    "hello\r\n\r\n": 400,
  };
  for (const [request, status] of Object.entries(requests)) {
    const answer = await ask(server.port, request);
    assertEquals(answer.split(" ")[1], String(status), request);
  }
  const long = await ask(
    server.port,
    `GET / HTTP/1.1\r\n${host}X: ${"x".repeat(9000)}`,
  ).catch(() => "HTTP/1.1 400 ");
  assertEquals(long.split(" ")[1], "400");
});

Deno.test("MonitorServer serves others while some say nothing, and lets the oldest of these go", async () => {
  await using server = start();
  const silent: Deno.TcpConn[] = [];
  // As many as have a place.
  for (let n = 0; n < 16; n++) {
    const { port } = server;
    silent.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  }
  const request = `GET / HTTP/1.1\r\n${host}\r\n`;
  for (let n = 0; n < 50; n++) {
    const answer = await ask(server.port, request);
    assert(answer.endsWith("hello"), answer);
  }
  assertEquals(await silent[0]!.read(new Uint8Array(1)), null);
  // Nobody was held up until all of them had had their time.
  using last = silent.pop()!;
  await last.write(new TextEncoder().encode(request));
  const late = await new Response(last.readable).text();
  assert(late.endsWith("hello"), late);
  for (const connection of silent) connection.close();
});

Deno.test("MonitorServer says why it cannot listen", async () => {
  await using server = start();
  const { port } = server;
  const answer = () => Promise.resolve(undefined);
  assertThrows(
    () => new MonitorServer({ hostname: "127.0.0.1", port, answer }),
    Error,
    `Cannot listen on 127.0.0.1:${port}: `,
  );
});
