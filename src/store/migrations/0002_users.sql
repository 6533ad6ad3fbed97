-- Users, what they sign in with, and what a login starts.
--
-- `users` holds exactly what is published; whatever a login alters stands in `credentials`,
-- so that a login never raises `version`. A deleted User stays as a tombstone, because a
-- Mirror that was away must still learn of the deletion.

create table signet.users (
  site_id              uuid not null references signet.sites (id),
  id                   uuid not null,
  version              bigint not null,
  email                text,
  email_verified       boolean not null,
  username             text,
  display_name         text not null,
  picture_url          text not null,
  locale               text not null,
  roles                text[] not null,
  state                text not null,
  mfa_enabled          boolean not null,
  password_change_time timestamptz,
  external_id          text,
  metadata             jsonb,
  origin_kind          text,
  origin_source        text,
  origin_user_id       text,
  origin_arrive_time   timestamptz,
  create_time          timestamptz not null,
  update_time          timestamptz not null,
  delete_time          timestamptz,
  deletion_protected   boolean not null,

  constraint users_pkey            primary key (site_id, id),
  constraint users_email_key       unique (site_id, email),
  constraint users_username_key    unique (site_id, username),
  constraint users_external_id_key unique (site_id, external_id),
  constraint users_state_check
    check (state in ('active', 'invited', 'disabled', 'deleted')),
  constraint users_tombstone_check check ((state = 'deleted') = (delete_time is not null)),
  constraint users_erased_check check (
    state <> 'deleted'
    or (email is null and username is null and external_id is null and display_name = ''
        and picture_url = '' and metadata is null)
  )
);

-- Serves the check that a Site keeps an admin.
create index users_active_admins_idx on signet.users (site_id, id)
  where state = 'active' and 'admin' = any(roles);

create table signet.credentials (
  site_id          uuid not null,
  user_id          uuid not null,
  password_hash    text,
  pepper_version   integer,
  generation       bigint not null default 1,
  last_login_time  timestamptz,
  failed_logins    integer not null default 0,
  lock_expire_time timestamptz,

  constraint credentials_pkey primary key (site_id, user_id),
  constraint credentials_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);

create table signet.sessions (
  site_id              uuid not null,
  id                   uuid not null,
  user_id              uuid not null,
  audiences            text[] not null,
  client_ip            text not null,
  client_user_agent    text not null,
  amr                  text[] not null,
  auth_time            timestamptz not null,
  create_time          timestamptz not null,
  last_refresh_time    timestamptz not null,
  idle_expire_time     timestamptz not null,
  absolute_expire_time timestamptz not null,
  end_time             timestamptz,

  constraint sessions_pkey primary key (site_id, id),
  constraint sessions_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);
-- Serves listing and ending the live Sessions of a User.
create index sessions_live_idx on signet.sessions (site_id, user_id) where end_time is null;

-- One row for each refresh token of a Session's family. A used one keeps its successor,
-- sealed with the used token itself, so that only its holder can be given it again.
create table signet.refresh_tokens (
  site_id          uuid not null,
  token_hash       bytea not null,
  session_id       uuid not null,
  create_time      timestamptz not null,
  use_time         timestamptz,
  successor_hash   bytea,
  successor_sealed bytea,

  constraint refresh_tokens_pkey primary key (site_id, token_hash),
  constraint refresh_tokens_session_fkey foreign key (site_id, session_id)
    references signet.sessions (site_id, id) on delete cascade,
  constraint refresh_tokens_use_check check (
    (use_time is null) = (successor_hash is null)
    and (use_time is null) = (successor_sealed is null)
  )
);
create index refresh_tokens_session_idx on signet.refresh_tokens (site_id, session_id);

-- Bound to Site, User, purpose and address, and consumed by the statement that acts.
create table signet.one_time_tokens (
  site_id     uuid not null,
  token_hash  bytea not null,
  user_id     uuid not null,
  purpose     text not null,
  email       text not null,
  -- Where the person is sent on to afterwards; empty: the Site's front end.
  redirect_url text not null default '',
  create_time timestamptz not null,
  expire_time timestamptz not null,
  use_time    timestamptz,

  constraint one_time_tokens_pkey primary key (site_id, token_hash),
  constraint one_time_tokens_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade,
  constraint one_time_tokens_purpose_check
    check (purpose in ('verify_email', 'reset_password', 'accept_invitation', 'change_email'))
);
create index one_time_tokens_user_idx on signet.one_time_tokens (site_id, user_id, purpose);

alter table signet.users           enable row level security;
alter table signet.users           force  row level security;
alter table signet.credentials     enable row level security;
alter table signet.credentials     force  row level security;
alter table signet.sessions        enable row level security;
alter table signet.sessions        force  row level security;
alter table signet.refresh_tokens  enable row level security;
alter table signet.refresh_tokens  force  row level security;
alter table signet.one_time_tokens enable row level security;
alter table signet.one_time_tokens force  row level security;

create policy own_site on signet.users to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.credentials to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.sessions to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.refresh_tokens to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.one_time_tokens to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

create policy every_site on signet.users to signet_system using (true);

-- No delete: a User ends as a tombstone.
grant select, insert, update on signet.users to signet_app;
grant select, insert, update, delete on signet.credentials to signet_app;
grant select, insert, update on signet.sessions to signet_app;
grant select, insert, update on signet.refresh_tokens to signet_app;
grant select, insert, update, delete on signet.one_time_tokens to signet_app;
grant select on signet.users to signet_system;
