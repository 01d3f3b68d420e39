/* Keeps a shadow of what would survive a power cut: of a file the bytes it had
   when it was last synced, of a directory the names it had when it was last
   synced. Nothing else is ever sure to survive. The syncs themselves are left out.

     POWER_CUT_ROOT    the folder that is shadowed, as an absolute path
     POWER_CUT_SHADOW  where the shadow is: KEY.data and KEY.names by inode, `root`
     POWER_CUT_AT      kills the process just before its sync of this number
     POWER_CUT_ALL     shadows everything there is, at the start

   An inode's key is its number and its time of birth: numbers are used again. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *root, *shadow;
static int cut_at, syncs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
  fprintf(stderr, "power_cut: cannot %s: %s\n", what, strerror(errno));
  abort();
}

static void look(int dir, const char *name, struct statx *info) {
  int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
  memset(info, 0, sizeof *info);
  if (statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, info))
    info->stx_mode = 0;
}

static void key_of(const struct statx *info, char key[64]) {
  snprintf(key, 64, "%llu-%lld-%u", (unsigned long long)info->stx_ino,
           (long long)info->stx_btime.tv_sec, info->stx_btime.tv_nsec);
}

/* Writes under another name first: the process may be killed at any time. */
static FILE *begin(const char *key, char temporary[PATH_MAX]) {
  snprintf(temporary, PATH_MAX, "%s/%s.tmp-%d", shadow, key, getpid());
  FILE *out = fopen(temporary, "we");
  if (!out) fail("write the shadow");
  return out;
}

static void finish(FILE *out, const char *temporary, const char *key,
                   const char *kind) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s%s", shadow, key, kind);
  if (fclose(out) || rename(temporary, path)) fail("write the shadow");
}

static void keep_data(int file, const struct statx *info, const char *key) {
  char path[PATH_MAX], buffer[1 << 16];
  FILE *out = begin(key, path);
  /* The file may be open for writing only, and be unlinked by now. */
  char self[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", file);
  int in = open(self, O_RDONLY | O_CLOEXEC);
  if (in < 0) fail("read a synced file");
  for (ssize_t count; (count = read(in, buffer, sizeof buffer)) > 0;)
    fwrite(buffer, 1, count, out);
  close(in);
  fflush(out);
  struct timespec times[2] = {
      {info->stx_mtime.tv_sec, info->stx_mtime.tv_nsec},
      {info->stx_mtime.tv_sec, info->stx_mtime.tv_nsec}};
  futimens(fileno(out), times);
  finish(out, path, key, ".data");
}

static void keep(int file, int deep);

static void keep_names(int dir, const char *key, int deep) {
  char path[PATH_MAX], child_key[64];
  FILE *out = begin(key, path);
  DIR *list = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!list) fail("list a synced directory");
  for (struct dirent *entry; (entry = readdir(list));) {
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    struct statx info;
    look(dir, name, &info);
    if (!info.stx_mode) continue;
    key_of(&info, child_key);
    fprintf(out, "%c %s %s\n", S_ISDIR(info.stx_mode) ? 'd' : 'f', child_key,
            name);
    if (!deep || !(S_ISDIR(info.stx_mode) || S_ISREG(info.stx_mode))) continue;
    int child = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (child < 0) continue;
    keep(child, 1);
    close(child);
  }
  closedir(list);
  finish(out, path, key, ".names");
}

static void keep(int file, int deep) {
  struct statx info;
  char key[64];
  look(file, "", &info);
  key_of(&info, key);
  if (S_ISDIR(info.stx_mode)) keep_names(file, key, deep);
  else if (S_ISREG(info.stx_mode)) keep_data(file, &info, key);
}

static int is_below_root(int file) {
  char self[64], path[PATH_MAX];
  snprintf(self, sizeof self, "/proc/self/fd/%d", file);
  ssize_t length = readlink(self, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  size_t depth = strlen(root);
  return !strncmp(path, root, depth) && (path[depth] == '/' || !path[depth]);
}

static int sync_one(int file) {
  pthread_mutex_lock(&lock);
  if (++syncs == cut_at) {
    kill(getpid(), SIGKILL);
    pause();
  }
  keep(file, 0);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fsync(int file) {
  if (root && is_below_root(file)) return sync_one(file);
  return syscall(SYS_fsync, file);
}

/* A program may ask for a function by its name in a library. */
void *dlsym(void *library, const char *name) {
  static void *(*next)(void *, const char *);
  if (!strcmp(name, "fsync")) return (void *)fsync;
  if (!next) next = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
  if (!next) next = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17");
  return next(library, name);
}

int fdatasync(int file) {
  if (root && is_below_root(file)) return sync_one(file);
  return syscall(SYS_fdatasync, file);
}

__attribute__((constructor)) static void begin_shadow(void) {
  root = getenv("POWER_CUT_ROOT");
  shadow = getenv("POWER_CUT_SHADOW");
  const char *at = getenv("POWER_CUT_AT");
  cut_at = at ? atoi(at) : 0;
  if (!root || !shadow) root = NULL;
  if (!root || !getenv("POWER_CUT_ALL")) return;
  int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0) fail("open the root");
  keep(top, 1);
  struct statx info;
  char key[64], path[PATH_MAX];
  look(top, "", &info);
  key_of(&info, key);
  FILE *out = begin("root", path);
  fputs(key, out);
  finish(out, path, "root", "");
  close(top);
}
