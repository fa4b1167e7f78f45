#!/usr/bin/env bash
# Makes Clawless's role and database at the first start of the database's container. The role is an ordinary one: row security does not hold a superuser.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" --username postgres <<'SQL'
CREATE ROLE clawless LOGIN PASSWORD :'password';
CREATE DATABASE clawless OWNER clawless;
SQL
