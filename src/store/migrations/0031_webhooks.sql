-- Webhooks: addresses to which the Changes of a Site are posted, and what was posted.

create table signet.webhooks (
  site_id           uuid not null references signet.sites (id) on delete cascade,
  id                uuid not null,
  -- Rises with each change of the settings.
  version           bigint not null default 1,
  url               text not null,
  label             text not null,
  -- The kinds of Changes that are posted, as the log names them; empty: all.
  kinds             text[] not null,
  -- The fields of User that are posted; empty: all.
  user_fields       text[] not null,
  state             text not null default 'enabled',
  -- What signs the requests, sealed; for a while after a rotation the one before it signs too.
  secret            bytea not null,
  secret_time       timestamptz not null,
  old_secret        bytea,
  old_secret_time   timestamptz,
  old_secret_expire_time timestamptz,
  -- Every Change up to this position that passes the filter has a delivery below.
  queued_position   bigint not null,
  -- The last Change up to there that passes the filter; 0: there is none.
  last_position     bigint not null,
  -- The newest attempt; all null: there was none.
  attempt_time      timestamptz,
  attempt_ms        integer,
  attempt_status    integer,
  attempt_problem   text,
  -- Since when every attempt has failed; null: the last one succeeded.
  fail_time         timestamptz,
  -- Nothing is posted before, since the receiver has asked for a pause.
  resume_time       timestamptz,
  create_time       timestamptz not null,
  update_time       timestamptz not null,

  constraint webhooks_pkey primary key (site_id, id),
  constraint webhooks_state_check check (state in ('enabled', 'disabled', 'failed', 'gone')),
  constraint webhooks_old_secret_check check (
    num_nonnulls(old_secret, old_secret_time, old_secret_expire_time) in (0, 3)
  ),
  constraint webhooks_attempt_check check (
    num_nonnulls(attempt_time, attempt_ms, attempt_status, attempt_problem) in (0, 4)
  )
);

-- One Change on its way to one webhook, without its body, which is read from the log. Of the
-- deliveries about one User that wait, the first alone has a time for its next attempt.
create table signet.webhook_deliveries (
  site_id           uuid not null,
  webhook_id        uuid not null,
  position          bigint not null,
  -- Of the positions; part of the event's id.
  epoch             bigint not null,
  -- The Change before it that passes the filter; 0: there is none.
  previous_position bigint not null,
  kind              text not null,
  further_kinds     text[] not null,
  user_id           uuid not null,
  state             text not null default 'pending',
  attempts          integer not null default 0,
  -- Those since it was queued, which say how long the next one waits.
  failures          integer not null default 0,
  next_attempt_time timestamptz,
  -- The attempt that is under way. One that is not heard of until `next_attempt_time` is taken
  -- for lost with its process.
  lease_id          uuid,
  attempt_time      timestamptz,
  attempt_ms        integer,
  attempt_status    integer,
  attempt_problem   text,
  create_time       timestamptz not null,
  -- When it was delivered or given up.
  end_time          timestamptz,

  constraint webhook_deliveries_pkey primary key (site_id, webhook_id, position),
  constraint webhook_deliveries_webhook_fkey foreign key (site_id, webhook_id)
    references signet.webhooks (site_id, id) on delete cascade,
  constraint webhook_deliveries_state_check check (state in ('pending', 'delivered', 'dead')),
  constraint webhook_deliveries_end_check check ((state = 'pending') = (end_time is null)),
  constraint webhook_deliveries_wait_check check (
    state = 'pending' or num_nonnulls(next_attempt_time, lease_id) = 0
  ),
  constraint webhook_deliveries_attempt_check check (
    num_nonnulls(attempt_time, attempt_ms, attempt_status, attempt_problem) in (0, 4)
  )
);
-- Serve the worker: what is due, and what waits behind it.
create index webhook_deliveries_due_idx
  on signet.webhook_deliveries (site_id, webhook_id, next_attempt_time)
  where state = 'pending' and next_attempt_time is not null;
create index webhook_deliveries_waiting_idx
  on signet.webhook_deliveries (site_id, webhook_id, user_id, position) where state = 'pending';
create index webhook_deliveries_lease_idx
  on signet.webhook_deliveries (site_id, webhook_id) where lease_id is not null;
-- Serve lists, the health of a Site, and retention.
create index webhook_deliveries_user_idx
  on signet.webhook_deliveries (site_id, webhook_id, user_id, position);
create index webhook_deliveries_dead_idx
  on signet.webhook_deliveries (site_id, end_time) where state = 'dead';
create index webhook_deliveries_create_time_idx
  on signet.webhook_deliveries (create_time) where state <> 'pending';

alter table signet.webhooks           enable row level security;
alter table signet.webhooks           force  row level security;
alter table signet.webhook_deliveries enable row level security;
alter table signet.webhook_deliveries force  row level security;

create policy own_site on signet.webhooks to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy own_site on signet.webhook_deliveries to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy every_site on signet.webhooks to signet_system using (true);
create policy every_site on signet.webhook_deliveries to signet_system using (true);

grant select, insert, update, delete on signet.webhooks, signet.webhook_deliveries to signet_app;
grant select, delete on signet.webhook_deliveries to signet_system;
grant select on signet.webhooks to signet_system;
