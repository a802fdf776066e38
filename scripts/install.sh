#!/usr/bin/env bash
# Installs what Shelfstream starts by itself on a machine and does not bring along:
#   PostgreSQL 15 or newer, and MariaDB or MySQL      for `make demo`, `make bench` and the integration tests
#   with --test also a JVM (17 or newer), Maven (fetches Apache Kafka's jars), kcat and Python (clients that read what we write), and Chromium
#   (drives the status page)
#
# What is there is left alone; with everything there it only looks, without network or root. It installs with apt-get as root or through a sudo
# that asks for no password, and otherwise prints the command to run. --check only looks: exit code 3 if something is missing.
set -euo pipefail

want_tests=false
check_only=false
for arg in "$@"; do
  case $arg in
    --test) want_tests=true ;;
    --check) check_only=true ;;
    -h | --help)
      sed -n '2,9s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "install.sh: unknown option $arg; it knows --test, --check and --help" >&2
      exit 2
      ;;
  esac
done

# have PROGRAM: found in PATH or in the sbin directories that an ordinary user's PATH leaves out.
have() { PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec" command -v "$1" > /dev/null 2>&1; }

# major PROGRAM...: the first number of what PROGRAM --version prints, 0 if it prints none.
major() {
  local n
  n=$("$@" --version 2> /dev/null | grep -oE '[0-9]+' | head -n 1) || true
  echo "${n:-0}"
}

have_postgres() {
  local dir
  for dir in "${PG_BIN:-}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(dirname "$(command -v postgres || echo /nowhere/postgres)")"; do
    if [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ "$(major "$dir/postgres")" -ge 15 ]; then
      return 0
    fi
  done
  return 1
}

have_mysql() { { have mariadbd && have mariadb-install-db; } || { have mysqld && ! have mariadbd; }; }

have_java() {
  local java=java
  [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] && java=$JAVA_HOME/bin/java
  have "$java" && [ "$(major "$java")" -ge 17 ]
}

# fastavro, a reader that knows nothing of ours, is put into an environment of its own by the test that uses it.
have_python() { have python3 && python3 -c 'import ensurepip, venv' 2> /dev/null; }

have_chromium() { have chromium || have chromium-browser || have google-chrome || have google-chrome-stable; }

missing=() # for people
apt=() dnf=() brew=()
need() { # NAME APT DNF BREW
  missing+=("$1")
  apt+=($2)
  dnf+=($3)
  brew+=($4)
}
have_postgres || need "PostgreSQL 15+" postgresql "postgresql-server postgresql-contrib" postgresql@17
have_mysql || need "MariaDB or MySQL" mariadb-server mariadb-server mariadb
if $want_tests; then
  have_java || need "a JVM 17+" default-jre-headless java-21-openjdk-headless openjdk
  [ -n "${SHELFSTREAM_KAFKA_JARS:-}" ] || have mvn || need Maven maven maven maven
  have kcat || need kcat kcat kcat kcat
  have_python || need "Python 3 with venv" "python3 python3-venv" python3 python3
  have_chromium || need Chromium chromium chromium chromium
fi

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
list=$(printf ', %s' "${missing[@]}")
echo "Not installed: ${list:2}."
if $check_only; then
  exit 3
fi

advise() {
  echo "Run this, then try again:"
  if have apt-get; then
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${apt[*]}"
  elif have dnf; then
    echo "  sudo dnf install -y ${dnf[*]}"
  elif have brew; then
    echo "  brew install ${brew[*]}"
  else
    echo "  install with this system's package manager: ${list:2}"
  fi
  exit 3
}
have apt-get || advise
if [ "$(id -u)" -eq 0 ]; then
  root() { "$@"; }
elif have sudo && sudo -n true 2> /dev/null; then
  root() { sudo -n "$@"; }
else
  advise
fi

# Debian's packages start the servers they bring. We want their programs only, so for as long as apt-get runs a policy file says no;
# one that was there before is put back.
policy=/usr/sbin/policy-rc.d
restore() {
  if [ -e "$policy.shelfstream" ]; then
    root mv "$policy.shelfstream" "$policy"
  else
    root rm -f "$policy"
  fi
}
if [ -e "$policy" ]; then
  root cp -a "$policy" "$policy.shelfstream"
fi
trap restore EXIT
printf '#!/bin/sh\nexit 101\n' | root tee "$policy" > /dev/null
root chmod 755 "$policy"

# Debian's PostgreSQL package also makes a cluster of its own unless told not to.
conf=/etc/postgresql-common/createcluster.d/shelfstream.conf
if ! have_postgres && [ ! -e "$conf" ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  root mkdir -p "$(dirname "$conf")"
  echo 'create_main_cluster = false' | root tee "$conf" > /dev/null
fi

install() { root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${apt[@]}"; }
echo "Installing with apt-get: ${apt[*]}"
# The lists of a fresh machine are empty or old; they are only fetched if the packages cannot be had without.
log=$(mktemp)
trap 'restore; rm -f "$log"' EXIT
if ! install > "$log" 2>&1; then
  if ! { root apt-get update -q && install; } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    advise
  fi
fi

# Debian 11's and other old systems' PostgreSQL is older than what the source needs.
if ! have_postgres; then
  echo "PostgreSQL is installed, but older than 15. Install a newer one from the PostgreSQL project's packages for this system, or set PG_BIN to the directory with its initdb and postgres." >&2
  exit 3
fi
echo "Installed: ${list:2}."
