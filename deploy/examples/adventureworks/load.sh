#!/usr/bin/env bash
# Loads the sample database AdventureWorks from its CSV files into PostgreSQL, all of it or nothing, and adds what the pipeline needs.
#
#   load.sh <directory of the CSV files> <DSN of an empty PostgreSQL database>
set -euo pipefail
if [ $# -ne 2 ]; then
  echo "usage: load.sh <directory of the CSV files> <DSN of an empty PostgreSQL database>" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
dsn=$2
for program in psql iconv; do
  command -v "$program" > /dev/null || { echo "load.sh: $program is not installed (on Debian and Ubuntu: sudo apt-get install postgresql-client libc-bin)" >&2; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Editions of the sample differ: UTF-8 or UTF-16, with a byte order mark or without, lines that end with LF or CRLF.
for name in ProductCategory ProductSubcategory ProductModel ProductDescription ProductModelProductDescriptionCulture \
  Product ProductInventory ProductListPriceHistory SpecialOffer SpecialOfferProduct; do
  file=$1/$name.csv
  if [ ! -r "$file" ]; then
    echo "load.sh: $file is missing or cannot be read; the files are those of AdventureWorks' OLTP install script" >&2
    exit 1
  fi
  case $(head -c 3 "$file" | od -An -tx1 | tr -d ' \n') in
    fffe* | feff*) iconv -f UTF-16 -t UTF-8 "$file" ;;
    efbbbf) tail -c +4 "$file" ;;
    *) cat "$file" ;;
  esac | tr -d '\r' > "$work/$name.csv"
done

cd "$work"
PGCLIENTENCODING=UTF8 psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction \
  --file "$here/tables.sql" --file "$here/copy.sql" --file "$here/web.sql" "$dsn"
