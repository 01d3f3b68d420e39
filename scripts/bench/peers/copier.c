/*
 * A peer of the benchmark: how many files per second a C program takes over.
 *
 *     copier DATABASE FOLDER < PATHS
 *
 * Copies each file into the folder, syncs its bytes and its name, and commits a
 * row of its own (WAL, synchronous=FULL) into the table that the first design
 * has. Prints files per second. SQLite is loaded at run time, so that no header
 * of it need be installed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int (*open_fn)(const char *, void **);
typedef int (*exec_fn)(void *, const char *, void *, void *, char **);
typedef int (*prepare_fn)(void *, const char *, int, void **, void *);
typedef int (*bind_text_fn)(void *, int, const char *, int, void *);
typedef int (*step_fn)(void *);

enum { ROW_DONE = 101, BUFFER_BYTES = 256 * 1024 };

static void check(int is_fine, const char *what) {
  if (is_fine) return;
  perror(what);
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* Copies a file; then its bytes and its name would survive a power failure. */
static void copy_file(const char *from, const char *to, int folder) {
  static char buffer[BUFFER_BYTES];
  int source = open(from, O_RDONLY);
  int copy = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
  check(source >= 0 && copy >= 0, to);
  for (ssize_t got; (got = read(source, buffer, BUFFER_BYTES)) != 0;)
    check(got > 0 && write(copy, buffer, (size_t)got) == got, to);
  check(fsync(copy) == 0 && fsync(folder) == 0, to);
  close(source);
  close(copy);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "Usage: copier DATABASE FOLDER < PATHS\n");
    return 2;
  }
  void *library = dlopen("libsqlite3.so.0", RTLD_NOW);
  if (!library) library = dlopen("libsqlite3.dylib", RTLD_NOW);
  check(library != NULL, "Cannot load SQLite");
  exec_fn exec_sql = (exec_fn)dlsym(library, "sqlite3_exec");
  bind_text_fn bind_text = (bind_text_fn)dlsym(library, "sqlite3_bind_text");
  step_fn step = (step_fn)dlsym(library, "sqlite3_step");
  step_fn reset = (step_fn)dlsym(library, "sqlite3_reset");

  void *db, *insert;
  check(((open_fn)dlsym(library, "sqlite3_open"))(argv[1], &db) == 0, argv[1]);
  check(exec_sql(db,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                 "CREATE TABLE IF NOT EXISTS queue (id TEXT PRIMARY KEY,"
                 " filepath TEXT, metadata_json TEXT, created_at TEXT,"
                 " attempts INTEGER DEFAULT 0, last_attempt TEXT,"
                 " status TEXT DEFAULT 'pending')",
                 NULL, NULL, NULL) == 0,
        argv[1]);
  check(((prepare_fn)dlsym(library, "sqlite3_prepare_v2"))(
            db,
            "INSERT INTO queue (id, filepath, metadata_json, created_at)"
            " VALUES (?, ?, '{\"door\":3}', '2025-01-01T00:00:00.000Z')",
            -1, &insert, NULL) == 0,
        argv[1]);

  int folder = open(argv[2], O_RDONLY);
  char path[4096], copy[4200];
  long files = 0;
  double start = seconds();
  for (; fgets(path, sizeof path, stdin); files++) {
    path[strcspn(path, "\n")] = '\0';
    snprintf(copy, sizeof copy, "%s/%ld", argv[2], files);
    copy_file(path, copy, folder);
    bind_text(insert, 1, copy, -1, NULL);
    bind_text(insert, 2, path, -1, NULL);
    check(step(insert) == ROW_DONE, "Cannot insert a row");
    reset(insert);
  }
  printf("%.1f\n", files / (seconds() - start));
  return 0;
}
