-- Guesses at secrets: each is counted and leaves a row, whether or not somebody has the account,
-- so that both cost the same. docs/decisions/0013 says how the limits work together.

-- The guesses at an account that its owner has not yet taken back by being right. One row counts
-- those from anywhere; each known device has a row of its own, so that guesses from elsewhere do
-- not lock it out. An account that nobody has is counted under a digest of the name.
create table signet.guess_counts (
  site_id          uuid not null references signet.sites (id) on delete cascade,
  account_id       uuid not null,
  -- Empty: from anywhere but known devices.
  device_hash      bytea not null,
  guesses          integer not null,
  lock_expire_time timestamptz,
  update_time      timestamptz not null,

  constraint guess_counts_pkey primary key (site_id, account_id, device_hash)
);
create index guess_counts_update_time_idx on signet.guess_counts (update_time);
alter table signet.credentials drop column failed_logins, drop column lock_expire_time;

-- Devices on which a User has signed in. Rows hold no token, and go with the User.
create table signet.known_devices (
  site_id         uuid not null,
  user_id         uuid not null,
  device_hash     bytea not null,
  create_time     timestamptz not null,
  last_login_time timestamptz not null,

  constraint known_devices_pkey primary key (site_id, user_id, device_hash),
  constraint known_devices_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);

-- Every guess, for those who look into an attack. It counts as failed until it turns out right.
create table signet.login_attempts (
  site_id           uuid not null references signet.sites (id) on delete cascade,
  id                uuid not null,
  -- Null: nobody has the name.
  user_id           uuid,
  -- Null: the account was named by a token.
  identifier_digest bytea,
  flow              text not null,
  outcome           text not null,
  -- An IPv4 address or an IPv6 /64; null: unknown.
  source            cidr,
  create_time       timestamptz not null,

  constraint login_attempts_pkey primary key (site_id, id),
  constraint login_attempts_flow_check check (flow in (
    'login', 'second_factor', 'reauthentication', 'password_change', 'enrollment')),
  constraint login_attempts_outcome_check check (outcome in ('failed', 'refused', 'succeeded'))
);
create index login_attempts_user_idx on signet.login_attempts (site_id, user_id)
  where user_id is not null;
create index login_attempts_create_time_idx on signet.login_attempts (create_time);

-- Calls of all processes within the present window. Unlogged: to lose it gives a flood one window
-- more, and to write it costs no wait for a disk. Keys are digests, of Sites or of addresses.
create unlogged table signet.call_counts (
  key        bytea not null,
  window_end timestamptz not null,
  calls      bigint not null,

  constraint call_counts_pkey primary key (window_end, key)
);

alter table signet.guess_counts   enable row level security;
alter table signet.guess_counts   force  row level security;
alter table signet.known_devices  enable row level security;
alter table signet.known_devices  force  row level security;
alter table signet.login_attempts enable row level security;
alter table signet.login_attempts force  row level security;

create policy own_site on signet.guess_counts to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.known_devices to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.login_attempts to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

create policy every_site on signet.guess_counts to signet_system using (true);
create policy every_site on signet.login_attempts to signet_system using (true);
create policy every_site on signet.login_challenges to signet_system using (true);

grant select, insert, update, delete on signet.guess_counts to signet_app;
grant select, insert, update, delete on signet.known_devices to signet_app;
grant select, insert, update, delete on signet.login_attempts to signet_app;
grant select, insert, update on signet.call_counts to signet_app;
grant select, delete on signet.guess_counts, signet.login_attempts, signet.login_challenges,
  signet.email_changes, signet.mail_counts, signet.call_counts to signet_system;

-- Serves the function below.
create index email_changes_over_idx on signet.email_changes (coalesce(confirm_time, create_time));

-- Removes what has expired, at most `row_count` of each kind, and returns how many in all. A
-- Session may have thousands of used refresh tokens, and so goes after them. Attempts and counters
-- of guesses are kept for 30 days.
create or replace function signet.remove_expired(kept_days integer, row_count integer)
  returns bigint
  language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with revocations as (
    delete from signet.revocations r
     using (select e.site_id, e.kind, e.subject_id from signet.revocations e
             where e.expire_time < now() - interval '1 hour'
             order by e.expire_time limit row_count) old
     where r.site_id = old.site_id and r.kind = old.kind and r.subject_id = old.subject_id
       and r.expire_time < now() - interval '1 hour'
    returning 1
  ), one_time_tokens as (
    delete from signet.one_time_tokens t
     using (select e.site_id, e.token_hash from signet.one_time_tokens e
             where e.expire_time < now() - make_interval(days => kept_days)
             order by e.expire_time limit row_count) old
     where t.site_id = old.site_id and t.token_hash = old.token_hash
    returning 1
  ), over as materialized (
    select s.site_id, s.id from signet.sessions s
     where least(s.end_time, s.absolute_expire_time) < now() - make_interval(days => kept_days)
     order by least(s.end_time, s.absolute_expire_time) limit row_count
  ), refresh_tokens as (
    delete from signet.refresh_tokens t
     using (select e.site_id, e.token_hash from over o
              join signet.refresh_tokens e on e.site_id = o.site_id and e.session_id = o.id
             limit row_count) old
     where t.site_id = old.site_id and t.token_hash = old.token_hash
    returning 1
  ), sessions as (
    delete from signet.sessions s
     using over o
     where s.site_id = o.site_id and s.id = o.id
       and not exists (select from signet.refresh_tokens t
                        where t.site_id = s.site_id and t.session_id = s.id)
    returning 1
  ), login_challenges as (
    delete from signet.login_challenges c
     using (select e.site_id, e.token_hash from signet.login_challenges e
             where e.expire_time < now() - interval '1 hour'
             order by e.expire_time limit row_count) old
     where c.site_id = old.site_id and c.token_hash = old.token_hash
    returning 1
  ), email_changes as (
    delete from signet.email_changes c
     using (select e.site_id, e.id from signet.email_changes e
             where coalesce(e.confirm_time, e.create_time)
                     < now() - make_interval(days => kept_days)
             order by coalesce(e.confirm_time, e.create_time) limit row_count) old
     where c.site_id = old.site_id and c.id = old.id
    returning 1
  ), mail_counts as (
    delete from signet.mail_counts m
     using (select e.site_id, e.address_digest from signet.mail_counts e
             where e.window_end < now()
             order by e.window_end limit row_count) old
     where m.site_id = old.site_id and m.address_digest = old.address_digest
       and m.window_end < now()
    returning 1
  ), guess_counts as (
    delete from signet.guess_counts g
     using (select e.site_id, e.account_id, e.device_hash from signet.guess_counts e
             where e.update_time < now() - interval '30 days'
             order by e.update_time limit row_count) old
     where g.site_id = old.site_id and g.account_id = old.account_id
       and g.device_hash = old.device_hash and g.update_time < now() - interval '30 days'
    returning 1
  ), login_attempts as (
    delete from signet.login_attempts a
     using (select e.site_id, e.id from signet.login_attempts e
             where e.create_time < now() - interval '30 days'
             order by e.create_time limit row_count) old
     where a.site_id = old.site_id and a.id = old.id
    returning 1
  ), call_counts as (
    delete from signet.call_counts c
     using (select e.window_end, e.key from signet.call_counts e
             where e.window_end < now() - interval '1 minute'
             order by e.window_end limit row_count) old
     where c.window_end = old.window_end and c.key = old.key
    returning 1
  )
  select (select count(*) from revocations) + (select count(*) from one_time_tokens)
       + (select count(*) from refresh_tokens) + (select count(*) from sessions)
       + (select count(*) from login_challenges) + (select count(*) from email_changes)
       + (select count(*) from mail_counts) + (select count(*) from guess_counts)
       + (select count(*) from login_attempts) + (select count(*) from call_counts);
end;

-- Tells whether browsers on pages of this origin may call some Site. A preflight names no Site;
-- the call that follows does, and is checked against that one.
create function signet.is_public_origin(wanted text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
return (
  select exists (
    select from signet.sites s
     where s.public_calls and s.delete_time is null and s.origins @> array[wanted]));
alter function signet.is_public_origin(text) owner to signet_system;
revoke all on function signet.is_public_origin(text) from public;
grant execute on function signet.is_public_origin(text) to signet_app;
create index sites_public_origins_idx on signet.sites using gin (origins)
  where public_calls and delete_time is null;
