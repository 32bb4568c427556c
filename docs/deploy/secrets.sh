#!/bin/sh
# Makes the secrets that docker-compose.yml names, once, with passwords that nobody knows: docs/deploy/secrets.sh [FOLDER]
# Only you may enter the folder. The files in it can be read, because the containers' users are none of this machine's.
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-secrets}
if [ -e "$folder" ]; then
    echo "$folder is there already; remove it for new secrets" >&2
    exit 1
fi

random() {
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'
}

umask 022
mkdir -m 700 "$folder"
admin=$(random) redis=$(random) owner=$(random) daemon=$(random)
sed -e "s/change-me-admin/$admin/" -e "s/change-me/$redis/" docs/deploy/redis.acl > "$folder/redis.acl"
sed -e "s/change-me-owner/$owner/" -e "s/change-me/$daemon/" docs/deploy/postgresql.sql > "$folder/postgres.sql"
echo "redis://exowatch:$redis@redis:6379/0" > "$folder/redis_url"
echo "postgresql://exowatch_owner:$owner@postgres/exowatch" > "$folder/owner_url"
echo "postgresql://exowatch_daemon:$daemon@postgres/exowatch" > "$folder/store_url"
random > "$folder/postgres_password"
random > "$folder/api_token"
random > "$folder/author_key"
echo "made in $folder; the token of the API is in $folder/api_token"
