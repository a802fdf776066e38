#!/bin/sh
# Run once by the PostgreSQL image, after the tables are there: the user that capture logs in as. It may read, replicate and nothing else; see
# the example's README for the same statements with their reasons.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$CAPTURE_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE capture LOGIN REPLICATION PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO capture;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO capture;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO capture;
SQL
