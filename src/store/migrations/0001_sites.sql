-- Sites, their signing keys and their API keys.
--
-- Every table with a `site_id` (and `sites` itself) has row-level security enabled and
-- forced. The application role sees the rows of the Site that the transaction has set in
-- `signet.site_id`; a query without it fails, because `current_setting` raises. Work across
-- Sites runs in `security definer` functions of `signet_system`, which nobody logs in as.

grant usage on schema signet to signet_app;
grant usage, create on schema signet to signet_system;

create table signet.sites (
  id                          uuid primary key,
  version                     bigint not null default 1,
  name                        text not null,
  frontend_url                text not null,
  redirect_urls               text[] not null default '{}',
  origins                     text[] not null default '{}',
  mail_sender_address         text not null default '',
  mail_sender_name            text not null default '',
  self_registration           boolean not null,
  public_calls                boolean not null,
  mfa_policy                  text not null,
  password_length_min         integer not null,
  access_token_seconds        integer not null,
  session_idle_seconds        integer not null,
  session_absolute_seconds    integer not null,
  email_verification_seconds  integer not null,
  password_reset_seconds      integer not null,
  invitation_seconds          integer not null,
  email_change_seconds        integer not null,
  mfa_challenge_seconds       integer not null,
  recent_login_seconds        integer not null,
  signing_algorithm           text not null,
  default_audience            text not null default '',
  locale                      text not null,
  deletion_protected          boolean not null default false,
  create_time                 timestamptz not null,
  update_time                 timestamptz not null,
  delete_time                 timestamptz,

  constraint sites_mfa_policy_check check (mfa_policy in ('off', 'optional', 'required')),
  constraint sites_signing_algorithm_check check (signing_algorithm in ('ES256', 'RS256'))
);

-- A domain leads to one Site, whoever asks, so it is unique over all Sites.
create table signet.site_domains (
  domain  text not null,
  site_id uuid not null references signet.sites (id) on delete cascade,
  ordinal integer not null,

  constraint site_domains_pkey primary key (domain)
);
create index site_domains_site_id_idx on signet.site_domains (site_id, ordinal);

-- Private halves are sealed (crypto/envelope) with the row in the associated data.
create table signet.signing_keys (
  site_id        uuid not null references signet.sites (id) on delete cascade,
  id             uuid not null,
  algorithm      text not null,
  public_jwk     jsonb not null,
  private_sealed bytea not null,
  state          text not null,
  create_time    timestamptz not null,
  withdraw_time  timestamptz,

  constraint signing_keys_pkey primary key (site_id, id),
  constraint signing_keys_state_check
    check (state in ('next', 'current', 'previous', 'withdrawn'))
);
-- One key signs and one stands ready, whatever two processes do at once.
create unique index signing_keys_one_current_key on signet.signing_keys (site_id)
  where state = 'current';
create unique index signing_keys_one_next_key on signet.signing_keys (site_id)
  where state = 'next';

create table signet.api_keys (
  site_id       uuid not null references signet.sites (id) on delete cascade,
  id            uuid not null,
  key_hash      bytea not null,
  label         text not null,
  scopes        text[] not null,
  user_fields   text[] not null,
  create_time   timestamptz not null,
  expire_time   timestamptz,
  last_use_time timestamptz,
  revoke_time   timestamptz,

  constraint api_keys_pkey primary key (site_id, id),
  constraint api_keys_key_hash_key unique (site_id, key_hash)
);

alter table signet.sites        enable row level security;
alter table signet.sites        force  row level security;
alter table signet.site_domains enable row level security;
alter table signet.site_domains force  row level security;
alter table signet.signing_keys enable row level security;
alter table signet.signing_keys force  row level security;
alter table signet.api_keys     enable row level security;
alter table signet.api_keys     force  row level security;

create policy own_site on signet.sites to signet_app
  using (id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.site_domains to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.signing_keys to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.api_keys to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

create policy every_site on signet.sites to signet_system using (true);
create policy every_site on signet.site_domains to signet_system using (true);

grant select, insert, update on signet.sites to signet_app;
grant select, insert, update, delete on signet.site_domains to signet_app;
grant select, insert, update on signet.signing_keys to signet_app;
grant select, insert, update on signet.api_keys to signet_app;
grant select on signet.sites, signet.site_domains to signet_system;

-- The Site that a domain leads to; null: none. Public, so it tells the id alone.
create function signet.site_id_of_domain(wanted text) returns uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
return (
  select s.id
    from signet.site_domains d
    join signet.sites s on s.id = d.site_id
   where d.domain = wanted
     and s.delete_time is null
);
alter function signet.site_id_of_domain(text) owner to signet_system;
revoke all on function signet.site_id_of_domain(text) from public;
grant execute on function signet.site_id_of_domain(text) to signet_app;

-- A page of the ids of all Sites in creation order, for operators.
create function signet.list_site_ids(after uuid, page_size integer) returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select s.id
    from signet.sites s
   where s.delete_time is null
     and (after is null or s.id > after)
   order by s.id
   limit page_size;
end;
alter function signet.list_site_ids(uuid, integer) owner to signet_system;
revoke all on function signet.list_site_ids(uuid, integer) from public;
grant execute on function signet.list_site_ids(uuid, integer) to signet_app;
