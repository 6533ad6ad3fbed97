-- The change log: outbox, sequencer, log.
--
-- A transaction that changes something inserts into `change_outbox` and takes no lock. The
-- sequencer then numbers what has become visible. A sequence alone would not do: commits
-- finish in another order than numbers are drawn, and a reader that goes by the highest
-- number skips those that finish late. docs/decisions/0004 has the measurements.

create table signet.change_outbox (
  seq              bigint generated always as identity,
  xid              xid8 not null default pg_current_xact_id(),
  site_id          uuid not null,
  kind             text not null,
  -- What else the same change did to the User.
  further_kinds    text[] not null default '{}',
  -- Changes of Users have user_id and both versions, and take a position.
  user_id          uuid,
  version          bigint,
  previous_version bigint,
  -- What the others are about: a Session, a User's generation, a key, the Site.
  subject_id       uuid,
  generation       bigint,
  expire_time      timestamptz,
  -- The published state, encoded; opaque to the database.
  body             bytea,
  bulk             boolean not null default false,
  commit_time      timestamptz not null,

  constraint change_outbox_user_check check ((user_id is null) = (version is null))
);
create index change_outbox_xid_idx on signet.change_outbox (xid);

-- The log, numbered without gaps within an epoch. Partitions of 1,000,000 let old history
-- be dropped without a scan.
create table signet.changes (
  pos         bigint not null,
  site_id     uuid not null,
  position    bigint,
  kind        text not null,
  further_kinds text[] not null,
  user_id     uuid,
  version     bigint,
  subject_id  uuid,
  generation  bigint,
  expire_time timestamptz,
  body        bytea,
  bulk        boolean not null,
  commit_time timestamptz not null,

  constraint changes_pkey primary key (pos)
) partition by range (pos);
create index changes_position_idx on signet.changes (site_id, position)
  where position is not null;
-- Serves the erasure of a deleted User's personal data.
create index changes_user_idx on signet.changes (site_id, user_id) where user_id is not null;

-- One row: where the sequencer stands.
create table signet.change_state (
  only_row          boolean primary key default true check (only_row),
  epoch             bigint not null,
  head              bigint not null,
  snapshot          pg_snapshot not null,
  log_until         bigint not null,
  -- What tells this database from a restored copy of it; null before the first start.
  system_identifier bigint,
  timeline_id       integer,
  database_oid      oid
);

-- Where each Site stands: its last position, and the sums of its live Users.
create table signet.site_heads (
  site_id  uuid primary key,
  position bigint not null,
  users    bigint not null,
  xor      bigint not null
);

-- What has ended before its expiry. Rows only come and expire, so that a process or a
-- verifier that starts can load what still matters and then follow the log.
create table signet.revocations (
  site_id     uuid not null references signet.sites (id) on delete cascade,
  kind        text not null,
  subject_id  uuid not null,
  generation  bigint not null default 0,
  create_time timestamptz not null,
  expire_time timestamptz not null,

  constraint revocations_pkey primary key (site_id, kind, subject_id),
  constraint revocations_kind_check check (
    kind in ('session_ended', 'generation_raised', 'api_key_revoked', 'signing_key_withdrawn',
             'site_closed')
  )
);
create index revocations_expire_time_idx on signet.revocations (expire_time);

alter table signet.change_outbox enable row level security;
alter table signet.change_outbox force  row level security;
alter table signet.changes       enable row level security;
alter table signet.changes       force  row level security;
alter table signet.site_heads    enable row level security;
alter table signet.site_heads    force  row level security;
alter table signet.revocations   enable row level security;
alter table signet.revocations   force  row level security;

create policy own_site on signet.change_outbox to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.changes to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.site_heads to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.revocations to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

create policy every_site on signet.change_outbox to signet_system using (true);
create policy every_site on signet.changes to signet_system using (true);
create policy every_site on signet.site_heads to signet_system using (true);
create policy every_site on signet.revocations to signet_system using (true);

grant insert on signet.change_outbox to signet_app;
grant select on signet.changes to signet_app;
grant select on signet.change_state, signet.site_heads to signet_app;
grant select, insert, update on signet.revocations to signet_app;
grant select, delete on signet.change_outbox to signet_system;
grant select, insert, update on signet.change_state, signet.site_heads to signet_system;
grant select, delete on signet.revocations to signet_system;
