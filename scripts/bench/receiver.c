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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

/* What was received since it was last asked. */
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

/* Returns whether all of it was sent. */
static int send_text(int conn, const char *text) {
  size_t length = strlen(text);
  while (length > 0) {
    ssize_t sent = send(conn, text, length, 0);
    if (sent <= 0) return 0;
    text += sent;
    length -= (size_t)sent;
  }
  return 1;
}

static int answer_control(int conn, const char *head) {
  const char *latency = strstr(head, "latencyMs=");
  char body[256], text[512];
  pthread_mutex_lock(&lock);
  snprintf(body, sizeof body,
           "{\"captures\":%ld,\"heldMs\":%.3f,\"lastStartedMs\":%.3f}",
           received.captures, received.held_ms, received.last_started_ms);
  memset(&received, 0, sizeof received);
  latency_ms = latency ? atof(latency + strlen("latencyMs=")) : 0;
  pthread_mutex_unlock(&lock);
  snprintf(text, sizeof text,
           "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n%s", strlen(body),
           body);
  return send_text(conn, text);
}

/* Reads the body, of which `had` bytes are there already, and answers. */
static int take_capture(int conn, const char *head, char *buffer, long had) {
  const char *field = strcasestr(head, "\r\ncontent-length:");
  long length = field ? atol(strchr(field, ':') + 1) : 0;
  if (strcasestr(head, "\r\nexpect:") &&
      !send_text(conn, "HTTP/1.1 100 Continue\r\n\r\n"))
    return 0;
  for (long left = length - had; left > 0;) {
    long most = left < BUFFER_BYTES ? left : BUFFER_BYTES;
    ssize_t got = recv(conn, buffer, (size_t)most, 0);
    if (got <= 0) return 0;
    left -= got;
  }
  double came_ms = now_ms(CLOCK_MONOTONIC);
  pthread_mutex_lock(&lock);
  double wait_ms = latency_ms;
  pthread_mutex_unlock(&lock);
  if (wait_ms > 0) usleep((useconds_t)(wait_ms * 1e3));
  /* Before the answer: whoever has it may ask for the counts. */
  pthread_mutex_lock(&lock);
  received.captures++;
  received.held_ms += now_ms(CLOCK_MONOTONIC) - came_ms;
  pthread_mutex_unlock(&lock);
  return send_text(conn,
                   "HTTP/1.1 201 Created\r\n"
                   "content-type: application/json\r\n"
                   "content-length: 10\r\n\r\n{\"id\":\"1\"}");
}

static int answer(int conn, const char *head, char *buffer, long had) {
  if (strncmp(head, "GET /control", 12) == 0) return answer_control(conn, head);
  if (strncmp(head, "GET ", 4) == 0)
    return send_text(conn, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  pthread_mutex_lock(&lock);
  received.last_started_ms = now_ms(CLOCK_REALTIME);
  pthread_mutex_unlock(&lock);
  return take_capture(conn, head, buffer, had);
}

/* Serves one request after the other; a client does not send one before the last is answered. */
static void *serve(void *argument) {
  int conn = (int)(long)argument, on = 1;
  setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char *buffer = malloc(BUFFER_BYTES);
  long filled = 0;
  while (filled < BUFFER_BYTES - 1) {
    ssize_t got =
        recv(conn, buffer + filled, (size_t)(BUFFER_BYTES - 1 - filled), 0);
    if (got <= 0) break;
    filled += got;
    char *end = memmem(buffer, (size_t)filled, "\r\n\r\n", 4);
    if (!end) continue;
    long had = filled - (end + 4 - buffer);
    *end = '\0';
    char *head = strdup(buffer);
    int goes_on = answer(conn, head, buffer, had);
    free(head);
    if (!goes_on) break;
    filled = 0;
  }
  free(buffer);
  close(conn);
  return NULL;
}

int main(void) {
  /* A client that has gone is an error of `send`, not the end of this program. */
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
