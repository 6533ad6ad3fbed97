-- The audit log: who did what to whom, in the transaction of the act.
--
-- Append-only for the application. The sequencer chains the rows per Site afterwards, since
-- a chain inside the transaction would serialise the Site.

create table signet.audit_events (
  seq         bigint generated always as identity,
  xid         xid8 not null default pg_current_xact_id(),
  site_id     uuid not null,
  id          uuid not null,
  kind        text not null,
  actor_kind  text not null,
  actor_id    text not null,
  subject_id  uuid,
  -- Ids and digests: part of the chain.
  details     jsonb not null,
  -- Clear values of personal fields: beside the chain, and gone with an erasure.
  personal    jsonb,
  client_ip   text not null,
  create_time timestamptz not null,

  constraint audit_events_pkey primary key (site_id, id)
);
create index audit_events_subject_idx on signet.audit_events (site_id, subject_id, id);
create index audit_events_xid_idx on signet.audit_events (xid);

alter table signet.audit_events enable row level security;
alter table signet.audit_events force  row level security;
create policy own_site on signet.audit_events to signet_app
  using (site_id = current_setting('signet.site_id')::uuid);
create policy every_site on signet.audit_events to signet_system using (true);
grant select, insert on signet.audit_events to signet_app;
