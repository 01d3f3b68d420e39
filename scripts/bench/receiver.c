/*
 * The server of the benchmark: takes captures, keeps nothing, and costs as
 * little as can be, so that a rate is the client's and not its own.
 *
 * A thread for each connection. Prints its port on the first line.
 * `GET /control?latencyMs=20` sets how long each answer waits, zeroes the
 * counts and returns what they were.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

/* The captures since the last request for the counts. */
static struct {
  long captures;
  double held_ms, last_started_ms;
} received;
static double latency_ms;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void answer(int conn, const char *status, const char *body) {
  dprintf(conn, "HTTP/1.1 %s\r\ncontent-length: %zu\r\n\r\n%s", status,
          strlen(body), body);
}

static void answer_control(int conn, const char *request) {
  const char *latency = strstr(request, "latencyMs=");
  char body[256];
  pthread_mutex_lock(&lock);
  snprintf(body, sizeof body,
           "{\"captures\":%ld,\"heldMs\":%.3f,\"lastStartedMs\":%.3f}",
           received.captures, received.held_ms, received.last_started_ms);
  memset(&received, 0, sizeof received);
  latency_ms = latency ? atof(latency + strlen("latencyMs=")) : 0;
  pthread_mutex_unlock(&lock);
  answer(conn, "200 OK", body);
}

/* Skips the body and answers; 0 if the client has gone. */
static int take_capture(int conn, FILE *in, long length, char *buffer) {
  pthread_mutex_lock(&lock);
  received.last_started_ms = now_ms(CLOCK_REALTIME);
  double wait_ms = latency_ms;
  pthread_mutex_unlock(&lock);
  for (size_t got; length > 0; length -= (long)got) {
    got = fread(buffer, 1, length < BUFFER_BYTES ? length : BUFFER_BYTES, in);
    if (got == 0) return 0;
  }
  double came_ms = now_ms(CLOCK_MONOTONIC);
  if (wait_ms > 0) usleep((useconds_t)(wait_ms * 1e3));
  /* Before the answer: its receiver may ask for the counts at once. */
  pthread_mutex_lock(&lock);
  received.captures++;
  received.held_ms += now_ms(CLOCK_MONOTONIC) - came_ms;
  pthread_mutex_unlock(&lock);
  answer(conn, "201 Created", "{\"id\":\"1\"}");
  return 1;
}

/* Serves one request after the other. */
static void *serve(void *argument) {
  int conn = (int)(long)argument, on = 1;
  setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  FILE *in = fdopen(conn, "r");
  char *buffer = malloc(BUFFER_BYTES), request[1024], line[8192];
  int goes_on = 1;
  while (goes_on && fgets(request, sizeof request, in)) {
    long length = 0;
    while (fgets(line, sizeof line, in) && strcmp(line, "\r\n") != 0) {
      if (strncasecmp(line, "content-length:", 15) == 0)
        length = atol(line + 15);
      if (strncasecmp(line, "expect:", 7) == 0)
        dprintf(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (strncmp(request, "GET /control", 12) == 0)
      answer_control(conn, request);
    else if (strncmp(request, "GET ", 4) == 0)
      answer(conn, "200 OK", "ok");
    else
      goes_on = take_capture(conn, in, length, buffer);
  }
  free(buffer);
  fclose(in);
  return NULL;
}

int main(void) {
  /* A client that has gone is an error of a write, not the end of this program. */
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 128) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror("Cannot listen");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (1) {
    int conn = accept(listener, NULL, NULL);
    pthread_t thread;
    if (conn < 0) continue;
    if (pthread_create(&thread, NULL, serve, (void *)(long)conn) == 0)
      pthread_detach(thread);
    else
      close(conn);
  }
}
