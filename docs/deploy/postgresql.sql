-- Two roles: one that owns the tables and is used when a new version brings its migrations, and one for the daemon, which reads
-- and writes rows and can change no table. As a superuser, with passwords of your own: psql -v ON_ERROR_STOP=1 -f postgresql.sql
CREATE ROLE exowatch_owner LOGIN PASSWORD 'change-me-owner';
CREATE ROLE exowatch_daemon LOGIN PASSWORD 'change-me';
CREATE DATABASE exowatch OWNER exowatch_owner;
REVOKE ALL ON DATABASE exowatch FROM PUBLIC;
GRANT CONNECT ON DATABASE exowatch TO exowatch_daemon;
\connect exowatch
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO exowatch_owner;
GRANT USAGE ON SCHEMA public TO exowatch_daemon;
ALTER DEFAULT PRIVILEGES FOR ROLE exowatch_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO exowatch_daemon;
