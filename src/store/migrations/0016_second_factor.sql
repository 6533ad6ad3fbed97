-- The second factor of a User, and logins that wait for it.

-- Unconfirmed until a code was shown to be right; a step is accepted once, so the last one is
-- remembered. The secret is sealed (crypto/envelope) with the row in the associated data.
create table signet.totp_factors (
  site_id       uuid not null,
  user_id       uuid not null,
  secret_sealed bytea not null,
  last_step     bigint not null default 0,
  create_time   timestamptz not null,
  expire_time   timestamptz not null,
  confirm_time  timestamptz,

  constraint totp_factors_pkey primary key (site_id, user_id),
  constraint totp_factors_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);

create table signet.recovery_codes (
  site_id   uuid not null,
  user_id   uuid not null,
  code_hash bytea not null,
  use_time  timestamptz,

  constraint recovery_codes_pkey primary key (site_id, user_id, code_hash),
  constraint recovery_codes_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade
);

-- A login whose password was right. It is bound to the generation that the User had then, so
-- that whatever voids Sessions voids it too.
create table signet.login_challenges (
  site_id           uuid not null,
  token_hash        bytea not null,
  user_id           uuid not null,
  step              text not null,
  generation        bigint not null,
  audiences         text[] not null,
  client_ip         text not null,
  client_user_agent text not null,
  create_time       timestamptz not null,
  expire_time       timestamptz not null,
  use_time          timestamptz,

  constraint login_challenges_pkey primary key (site_id, token_hash),
  constraint login_challenges_user_fkey foreign key (site_id, user_id)
    references signet.users (site_id, id) on delete cascade,
  constraint login_challenges_step_check check (step in ('code', 'enrollment'))
);
create index login_challenges_user_idx on signet.login_challenges (site_id, user_id);
create index login_challenges_expire_time_idx on signet.login_challenges (expire_time);

alter table signet.totp_factors     enable row level security;
alter table signet.totp_factors     force  row level security;
alter table signet.recovery_codes   enable row level security;
alter table signet.recovery_codes   force  row level security;
alter table signet.login_challenges enable row level security;
alter table signet.login_challenges force  row level security;

create policy own_site on signet.totp_factors to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.recovery_codes to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.login_challenges to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);

grant select, insert, update, delete on signet.totp_factors to signet_app;
grant select, insert, update, delete on signet.recovery_codes to signet_app;
grant select, insert, update, delete on signet.login_challenges to signet_app;
