#!/bin/sh
# Installs jarvis-agent for this user: takes the executable for this system from
# a release, checks its sum and its provenance, and puts it into ~/.local/bin.
set -eu

releases=''   # A release fills in its own address,
repository='' # and the repository that built it.

usage() {
  cat <<EOF
Install jarvis-agent for this user

Usage: install.sh [--from URL] [--to DIR] [-- SERVICE OPTIONS]

  --from URL  take the release from there, an https:// address (default: the one
              this script is of)
  --to DIR    put the executable there (default: ~/.local/bin)

What follows -- goes to "jarvis-agent service install". A service that is there
already is brought up to date in any case.

Example: install.sh -- --server https://captures.example.org --watch ~/Captures
EOF
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

# Writes what is at the address $1 into the file $2; no redirect leads to plain http.
fetch() {
  curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 \
    --output "$2" "$1" || fail "Cannot download \"$1\": expected a release there"
}

# Whether the repository's own workflow has built the file $1, where that can be asked.
check_provenance() {
  [ -n "$repository" ] || return 0
  if ! command -v gh >/dev/null || ! gh auth status >/dev/null 2>&1; then
    echo 'Checked the sum; the provenance would be checked too with GitHub'\''s gh, logged in'
    return 0
  fi
  gh attestation verify "$1" --repo "$repository" >/dev/null ||
    fail "Cannot use \"$2\": $repository does not attest that it has built it"
}

# The SHA-256 of the file $1, in hexadecimal.
sum_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1"
  else
    shasum -a 256 <"$1"
  fi | cut -d ' ' -f 1
}

# What executables for this system have in their names.
target() {
  case "$(uname -m)" in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "Cannot run on $(uname -m): expected x86_64 or aarch64" ;;
  esac
  case "$(uname -s)" in
    Linux)
      for musl in /lib/ld-musl-*; do
        [ ! -e "$musl" ] || [ -e /lib64/ld-linux-x86-64.so.2 ] ||
          [ -e /lib/ld-linux-aarch64.so.1 ] ||
          fail 'Cannot run with musl: expected a system with glibc'
      done
      echo "$machine-unknown-linux-gnu"
      ;;
    Darwin) echo "$machine-apple-darwin" ;;
    *) fail "Cannot run on $(uname -s): expected Linux or macOS" ;;
  esac
}

main() {
  from="$releases" to="${HOME:?}/.local/bin"
  while [ $# -gt 0 ]; do
    case "$1" in
      --from) from="${2:?--from expects a URL}" && shift 2 ;;
      --to) to="${2:?--to expects a folder}" && shift 2 ;;
      --help | -h) usage && exit ;;
      --) break ;;
      *) fail "Unknown argument \"$1\": see --help for those there are" ;;
    esac
  done
  [ -n "$from" ] || fail 'Cannot tell where releases are: expected --from URL'
  case "$from" in
    https://*) ;;
    *) fail "Cannot use \"$from\": whoever is on the way could exchange the program; expected https://" ;;
  esac
  # wget can be led to plain http by a redirect.
  command -v curl >/dev/null || fail 'Cannot download anything: expected curl'

  target="$(target)"
  mkdir -p "$to"
  # Beside its place, so that it gets there as a whole or not at all.
  work="$(mktemp -d "$to/.jarvis-agent.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM

  fetch "$from/SHA256SUMS" "$work/sums"
  line="$(grep -E "^[0-9a-f]{64}  jarvis-agent-[^ /]*-$target\$" "$work/sums")" ||
    fail "Cannot find an executable for $target in \"$from/SHA256SUMS\""
  sum="${line%% *}" name="${line##* }"
  echo "Downloading $name"
  fetch "$from/$name" "$work/jarvis-agent"
  [ "$(sum_of "$work/jarvis-agent")" = "$sum" ] ||
    fail "Cannot use \"$from/$name\": it is not what SHA256SUMS says; expected $sum"
  check_provenance "$work/jarvis-agent" "$from/$name"
  chmod 755 "$work/jarvis-agent"
  version="$("$work/jarvis-agent" --version)" ||
    fail "Cannot run it from \"$to\": expected a folder where programs may be"
  mv -f "$work/jarvis-agent" "$to/jarvis-agent"
  echo "Installed $version as $to/jarvis-agent"
  case ":$PATH:" in
    *":$to:"*) ;;
    *) echo "$to is not among the folders of PATH: add it, or write the whole path" ;;
  esac

  unit="${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/jarvis-agent.service"
  if [ $# -gt 0 ]; then
    shift
    "$to/jarvis-agent" service install "$@"
  elif [ -e "$unit" ]; then
    "$to/jarvis-agent" service install
  elif [ "$(uname -s)" = Linux ]; then
    echo 'To let systemd run it: jarvis-agent service install --server URL'
  fi
}

# Last, so that half a download does nothing.
main "$@"
