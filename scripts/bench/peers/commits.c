/*
 * A peer of the benchmark: how many rows per second a C program commits.
 *
 *     commits DATABASE ROWS BATCH
 *
 * WAL and synchronous=FULL, BATCH rows in a transaction, into the table that the
 * first design has. Prints rows per second. The library is loaded at run time,
 * so that no header of it need be installed.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int (*open_fn)(const char *, void **);
typedef int (*exec_fn)(void *, const char *, void *, void *, char **);
typedef int (*prepare_fn)(void *, const char *, int, void **, void *);
typedef int (*bind_text_fn)(void *, int, const char *, int, void *);
typedef int (*step_fn)(void *);

static exec_fn exec_sql;

static void execute(void *db, const char *sql) {
  if (exec_sql(db, sql, NULL, NULL, NULL) != 0) {
    fprintf(stderr, "Cannot execute \"%s\"\n", sql);
    exit(1);
  }
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "Usage: commits DATABASE ROWS BATCH\n");
    return 2;
  }
  long rows = atol(argv[2]), batch = atol(argv[3]);
  void *library = dlopen("libsqlite3.so.0", RTLD_NOW);
  if (!library) library = dlopen("libsqlite3.dylib", RTLD_NOW);
  if (!library) {
    fprintf(stderr, "Cannot load SQLite: %s\n", dlerror());
    return 1;
  }
  exec_sql = (exec_fn)dlsym(library, "sqlite3_exec");
  bind_text_fn bind_text = (bind_text_fn)dlsym(library, "sqlite3_bind_text");
  step_fn step = (step_fn)dlsym(library, "sqlite3_step");
  step_fn reset = (step_fn)dlsym(library, "sqlite3_reset");

  void *db, *insert;
  if (((open_fn)dlsym(library, "sqlite3_open"))(argv[1], &db) != 0) {
    fprintf(stderr, "Cannot open \"%s\"\n", argv[1]);
    return 1;
  }
  execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  execute(db,
          "CREATE TABLE IF NOT EXISTS queue (id TEXT PRIMARY KEY, filepath TEXT,"
          " metadata_json TEXT, created_at TEXT, attempts INTEGER DEFAULT 0,"
          " last_attempt TEXT, status TEXT DEFAULT 'pending')");
  ((prepare_fn)dlsym(library, "sqlite3_prepare_v2"))(
      db,
      "INSERT INTO queue (id, filepath, metadata_json, created_at)"
      " VALUES (?, ?, '{\"door\":3}', '2025-01-01T00:00:00.000Z')",
      -1, &insert, NULL);

  srandom((unsigned)time(NULL));
  double start = seconds();
  for (long row = 0; row < rows; row++) {
    char id[64], path[64];
    snprintf(id, sizeof id, "%08lx-%04lx-4000-8000-%012lx", random(),
             random() & 0xffff, row);
    snprintf(path, sizeof path, "/captures/capture-%ld.png", row);
    if (row % batch == 0) execute(db, "BEGIN IMMEDIATE");
    bind_text(insert, 1, id, -1, NULL);
    bind_text(insert, 2, path, -1, NULL);
    if (step(insert) != 101) {
      fprintf(stderr, "Cannot insert a row\n");
      return 1;
    }
    reset(insert);
    if ((row + 1) % batch == 0 || row + 1 == rows) execute(db, "COMMIT");
  }
  printf("%.1f\n", rows / (seconds() - start));
  return 0;
}
