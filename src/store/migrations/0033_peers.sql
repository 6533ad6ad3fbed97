-- Peers: other Signets, with databases of their own, from which a User may come.

-- A login that another Signet asks about waits for its code too. It belongs to the key that asked,
-- and is never good for a Session here.
alter table signet.login_challenges add column peer_key_id uuid;
alter table signet.login_challenges drop constraint login_challenges_step_check;
alter table signet.login_challenges
  add constraint login_challenges_step_check check (step in ('code', 'enrollment', 'peer_code'));
alter table signet.login_challenges add constraint login_challenges_peer_check
  check ((step = 'peer_code') = (peer_key_id is not null));

-- Who asks the Peers about an identifier at present: one at a time over all processes. A row that
-- has expired was left by a process that has died.
create table signet.peer_flights (
  site_id           uuid not null references signet.sites (id) on delete cascade,
  identifier_digest bytea not null,
  flight_id         uuid not null,
  expire_time       timestamptz not null,

  constraint peer_flights_pkey primary key (site_id, identifier_digest)
);
create index peer_flights_expire_time_idx on signet.peer_flights (site_id, expire_time);

-- Logins here whose second factor a Peer has yet to check. There is no User here yet.
create table signet.peer_challenges (
  site_id           uuid not null references signet.sites (id) on delete cascade,
  token_hash        bytea not null,
  peer              text not null,
  -- The Peer's challenge, the identifier and the hash of the password, sealed.
  state             bytea not null,
  audiences         text[] not null,
  client_ip         text not null,
  client_user_agent text not null,
  expire_time       timestamptz not null,

  constraint peer_challenges_pkey primary key (site_id, token_hash)
);
create index peer_challenges_expire_time_idx on signet.peer_challenges (site_id, expire_time);

-- Which User here is the copy of which User of a Peer. A row stays with the tombstone, so that who
-- was deleted here does not come back by the next login.
create table signet.peer_copies (
  site_id        uuid not null,
  peer           text not null,
  source_user_id uuid not null,
  user_id        uuid not null,
  -- The version over there that was taken last: nothing older is taken after it.
  source_version bigint not null,
  -- Whether the User had a second factor over there at the first login here.
  mfa            boolean not null default false,

  constraint peer_copies_pkey primary key (site_id, peer, source_user_id),
  constraint peer_copies_user_key unique (site_id, user_id),
  constraint peer_copies_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);

-- How far the sync from a Peer has come, and which process does it.
create table signet.peer_syncs (
  site_id           uuid not null references signet.sites (id) on delete cascade,
  peer              text not null,
  -- What is taken from whom: with another scope the sync begins anew.
  scope             text not null,
  cursor            text not null,
  position          bigint not null,
  head              bigint not null,
  contact_time      timestamptz,
  lease_id          uuid,
  lease_expire_time timestamptz,

  constraint peer_syncs_pkey primary key (site_id, peer)
);

-- Users that could not be taken, since their address or name belongs to another User here.
create table signet.peer_conflicts (
  site_id        uuid not null,
  peer           text not null,
  source_user_id uuid not null,

  constraint peer_conflicts_pkey primary key (site_id, peer, source_user_id),
  constraint peer_conflicts_sync_fkey foreign key (site_id, peer)
    references signet.peer_syncs (site_id, peer) on delete cascade
);

alter table signet.peer_flights    enable row level security;
alter table signet.peer_flights    force  row level security;
alter table signet.peer_challenges enable row level security;
alter table signet.peer_challenges force  row level security;
alter table signet.peer_copies     enable row level security;
alter table signet.peer_copies     force  row level security;
alter table signet.peer_syncs      enable row level security;
alter table signet.peer_syncs      force  row level security;
alter table signet.peer_conflicts  enable row level security;
alter table signet.peer_conflicts  force  row level security;

create policy own_site on signet.peer_flights to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.peer_challenges to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.peer_copies to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.peer_syncs to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.peer_conflicts to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

grant select, insert, update, delete on signet.peer_flights, signet.peer_challenges,
  signet.peer_copies, signet.peer_syncs, signet.peer_conflicts to signet_app;
